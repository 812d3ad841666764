"""ABINet: words by an image model and a language model that corrects it (Fang et al., CVPR 2021)."""
