"""SAR: an LSTM that looks at places of a feature map (Li et al., AAAI 2019)."""
