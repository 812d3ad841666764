"""DBNet: Differentiable Binarization (Liao et al., AAAI 2020)."""
