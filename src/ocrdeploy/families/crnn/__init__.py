"""CRNN: a convolutional recurrent network (Shi et al., TPAMI 2017)."""
