"""How fast: scoring, the whole pipeline, kernels, sealing."""
