"""How fast models are: measured stage by stage and as a whole, gated, and compared with an earlier measurement."""
