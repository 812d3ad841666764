"""PANet: Pixel Aggregation (Wang et al., ICCV 2019)."""
