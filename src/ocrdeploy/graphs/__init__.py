"""ONNX graphs: tidied, summarised, looked into, and brought to mixed precision."""
