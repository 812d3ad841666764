"""TextSnake: disks along the centre line of a text (Long et al., ECCV 2018)."""
