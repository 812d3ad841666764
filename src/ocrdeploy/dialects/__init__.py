"""How configs are read: strict sections, and the neutral form that each generation of configs is brought to."""
