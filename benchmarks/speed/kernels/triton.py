"""The likelihood in Triton: a program an item, one pass, a streamed log-sum-exp."""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl


@triton.jit  # type: ignore[untyped-decorator]
def kernel(
    x: Any,
    mu: Any,
    log_var: Any,
    out: Any,
    SAMPLES: tl.constexpr,
    PIXELS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Write log RP of one item."""
    item = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < PIXELS
    grey = tl.load(x + item * PIXELS + at, mask=inside, other=0).to(tl.float32) / 255
    best = tl.full((), -float("inf"), tl.float32)
    total = tl.full((), 0.0, tl.float32)
    for sample in range(SAMPLES):
        row = (item * SAMPLES + sample) * PIXELS
        mean = tl.load(mu + row + at, mask=inside, other=0).to(tl.float32)
        spread = tl.load(log_var + row + at, mask=inside, other=0).to(tl.float32)
        terms = (grey - mean) * (grey - mean) * tl.exp(-spread) + spread
        each = -0.5 * tl.sum(tl.where(inside, terms, 0.0)) - 0.9189385332046727 * PIXELS
        top = tl.maximum(best, each)
        total = total * tl.exp(best - top) + tl.exp(each - top)
        best = top
    tl.store(out + item, best + tl.log(total / SAMPLES))
