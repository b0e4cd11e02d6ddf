"""The CUDA kernels: error, bandwidth, latency, rivals."""
