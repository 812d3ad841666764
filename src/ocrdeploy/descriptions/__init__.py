"""A config of any dialect, joined with the family of its network: its description, its spec, its network."""
