"""Opening models and running them: how a model is opened, what is read of its files, and the predictor they make."""
