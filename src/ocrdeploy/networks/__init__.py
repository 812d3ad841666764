"""MMOCR's networks as plain PyTorch modules. Importing this package does not import PyTorch; its modules do."""
