"""PyTorch models, training, and export to ONNX."""
