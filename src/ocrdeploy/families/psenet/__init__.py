"""PSENet: Progressive Scale Expansion (Wang et al., CVPR 2019)."""
