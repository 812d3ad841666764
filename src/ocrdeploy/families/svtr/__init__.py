"""SVTR: words by mixing local and global features (Du et al., IJCAI 2022)."""
