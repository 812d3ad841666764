"""MASTER: words by global context and transformers (Lu et al., Pattern Recognition 2021)."""
