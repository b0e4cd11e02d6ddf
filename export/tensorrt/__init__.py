"""TensorRT plans, built on the machine that will run them."""
