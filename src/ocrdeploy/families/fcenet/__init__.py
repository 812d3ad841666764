"""FCENet: Fourier contours (Zhu et al., CVPR 2021)."""
