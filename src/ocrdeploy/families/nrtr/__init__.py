"""NRTR: words by transformers alone (Sheng et al., ICDAR 2019)."""
