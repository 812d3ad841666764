"""Parts of networks that several families share, in PyTorch; `settings` alone does not import it."""
