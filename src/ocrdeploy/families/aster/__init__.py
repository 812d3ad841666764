"""ASTER: straightened words read by attention of a recurrent decoder (Shi et al., TPAMI 2019)."""
