"""Nets in bfloat16 where the device computes so faster; what they give, and losses, in float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor


@cache
def is_quick(kind: str) -> bool:
    """Return whether bfloat16 is faster on a kind of device: a GPU of 2020 or later, or a processor
    with AMX. Elsewhere a processor would compute it in float32 and round."""
    if kind == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    # PyTorch asks the processor under this name alone, and not before 2.4
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return kind == "cpu" and bool(has_amx())


def quick(net: Callable[..., Any]) -> Callable[..., Any]:
    """Return a net that computes in bfloat16 where that :func:`is_quick`, and gives float32.

    Args:
        net: takes tensors, the first of which says on what device; gives one or several.
    """

    def run(*given: Tensor) -> Any:
        kind = given[0].device.type
        with torch.autocast(kind, torch.bfloat16, enabled=is_quick(kind)):
            return _whole(net(*given))

    return run


def _whole(out: Any) -> Any:
    return out.float() if isinstance(out, Tensor) else type(out)(map(_whole, out))
