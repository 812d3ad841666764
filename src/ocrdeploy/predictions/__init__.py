"""Predictions as lines of JSON, written so that a run that was cut off can go on."""
