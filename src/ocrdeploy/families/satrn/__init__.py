"""SATRN: words of any shape by attention over two dimensions (Lee et al., CVPR workshops 2020)."""
