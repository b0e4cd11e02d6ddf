"""The model files that ship, and the manifests that describe them."""
