"""Lower precisions: float16, and int8 by quantise and dequantise pairs."""
