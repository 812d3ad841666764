"""Images: found, read, measured, cut and drawn on."""
