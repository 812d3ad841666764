"""RobustScanner: words by attention to characters and to positions (Yue et al., ECCV 2020)."""
