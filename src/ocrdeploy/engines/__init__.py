"""TensorRT engines: what is asked for, how they are built, what lies beside them, and how they are opened."""
