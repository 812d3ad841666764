"""Checkpoints: from files and URLs to tensors, read as data, and into a network."""
