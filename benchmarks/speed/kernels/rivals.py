"""The likelihood as others would write it: PyTorch eager, torch.compile, Triton.

Each rival computes what `kernels/reference.py` says, on the same arrays in device memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from sealshot.kernels.driver import Stream
from sealshot.kernels.memory import DeviceArray

Score = Callable[[Any, Any, Any], Any]
"""From x, mu and log_var, as torch tensors, to log RP."""

TRITON_WARPS = (4, 8, 16)


def why_no_torch() -> str:
    """Return why the rivals cannot run here; nothing if they can."""
    if find_spec("torch") is None:
        return "PyTorch is not installed"
    import torch

    return "" if torch.cuda.is_available() else "this PyTorch sees no GPU"


def rivals() -> dict[str, Score]:
    """Return the rivals that can run here, by name."""
    import torch

    scores: dict[str, Score] = {
        "torch eager": eager,
        "torch.compile": torch.compile(eager, dynamic=False),
    }
    if find_spec("triton") is not None:
        scores |= {f"Triton, {warps} warps": _triton(warps) for warps in TRITON_WARPS}
    return scores


def on_stream(score: Score, stream: Stream) -> Score:
    """Let a rival work on our stream."""
    import torch

    external: Any = torch.cuda.ExternalStream(stream.handle)  # type: ignore[no-untyped-call]

    def call(x: Any, mu: Any, log_var: Any) -> Any:
        with torch.cuda.stream(external):
            return score(x, mu, log_var)

    return call


def as_tensor(array: DeviceArray) -> Any:
    """Look at an array as a torch tensor, in place."""
    import torch

    return torch.as_tensor(array, device="cuda")


def eager(x: Any, mu: Any, log_var: Any) -> Any:
    """Return log RP as the export's score graph computes it, sums in fp32."""
    import torch

    pixels = (x.float() / 255)[:, None]
    spread = log_var.float()
    terms = (pixels - mu.float()).square() * torch.exp(-spread) + spread
    each = -terms.sum(2) / 2 - mu.shape[2] / 2 * math.log(2 * math.pi)
    return torch.logsumexp(each, 1) - math.log(mu.shape[1])


def _triton(warps: int) -> Score:
    import torch
    import triton

    from sealshot.benchmarks.speed.kernels.triton import kernel

    def score(x: Any, mu: Any, log_var: Any) -> Any:
        n, samples, pixels = mu.shape
        out = torch.empty(n, device=mu.device)
        block = triton.next_power_of_2(pixels)
        sizes = {"SAMPLES": samples, "PIXELS": pixels, "BLOCK": block}
        kernel[(n,)](x, mu, log_var, out, **sizes, num_warps=warps)
        return out

    return score
