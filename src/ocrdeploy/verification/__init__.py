"""Whether a deployed model is the model that was trained, and if not, where they part."""
