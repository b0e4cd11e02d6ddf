"""Arrays and streams of PyTorch, CuPy and pycuda, used in place. Needs a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sealshot.kernels import cpu
from sealshot.kernels.device import DeviceKernels

pytestmark = pytest.mark.gpu


def inputs() -> tuple[Any, ...]:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (4, 4096), np.uint8)
    mu, log_var = random.random((2, 4, 10, 4096), np.float32).astype(np.float16)
    return x, mu, log_var


def test_pytorch(real_gpu: None) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch sees no GPU")
    device, stream = DeviceKernels(), torch.cuda.Stream()
    with torch.cuda.stream(stream):
        tensors = [torch.from_numpy(a).cuda() for a in inputs()]
        out = torch.empty(4, device="cuda")
        device.rp_likelihood(*tensors, out, stream=stream)
    stream.synchronize()
    assert np.allclose(out.cpu().numpy(), cpu.rp_likelihood(*inputs()), rtol=1e-5)


def test_cupy(real_gpu: None) -> None:
    cupy = pytest.importorskip("cupy")
    device, stream = DeviceKernels(), cupy.cuda.Stream(non_blocking=True)
    with stream:
        arrays = [cupy.asarray(a) for a in inputs()]
        out = cupy.empty(4, cupy.float32)
        device.rp_likelihood(*arrays, out, stream=stream)
    stream.synchronize()
    assert np.allclose(out.get(), cpu.rp_likelihood(*inputs()), rtol=1e-5)


def test_pycuda_with_a_context_of_its_own(real_gpu: None) -> None:
    pytest.importorskip("pycuda")
    import pycuda.driver as cuda
    from pycuda import gpuarray

    cuda.init()
    context = cuda.Device(0).make_context()
    try:
        device, stream = DeviceKernels(), cuda.Stream()
        arrays = [gpuarray.to_gpu(a) for a in inputs()]
        out = gpuarray.empty(4, np.float32)
        device.rp_likelihood(*arrays, out, stream=stream)
        stream.synchronize()
        assert np.allclose(out.get(), cpu.rp_likelihood(*inputs()), rtol=1e-5)
    finally:
        context.pop()
