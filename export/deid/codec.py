"""What a video codec leaves of faces, with a gradient: blocks of 8x8 on the way to U_d."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BLOCK = 8
COARSEST = 0.12
"""Largest step of a coefficient; 0.02 is about H.264 at CRF 18, 0.1 at CRF 28."""


def coded(faces: Tensor, step: Tensor) -> Tensor:
    """Return faces whose DCT coefficients are rounded; the gradient passes as if they were not.

    Args:
        faces: ``float [n, 3, h, w]``, 0 to 1; sides are multiples of 8.
        step: ``float [n]``; 0 leaves a face as it is but for 8 bits.
    """
    n, channels, height, width = faces.shape
    basis = _basis(faces)
    blocks = faces.reshape(n, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    blocks = blocks.transpose(3, 4)  # [n, c, rows, columns, 8, 8]
    wide = step.clamp(min=1 / 255)[:, None, None, None, None, None]
    rough = basis.T @ (torch.round(basis @ blocks @ basis.T / wide) * wide) @ basis
    rough = rough.transpose(3, 4).reshape(faces.shape)
    whole = torch.where(step[:, None, None, None] > 0, rough, faces)
    return faces + (torch.round(whole.clamp(0, 1) * 255) / 255 - faces).detach()


def _basis(like: Tensor) -> Tensor:
    """Return the orthonormal DCT-II, ``[8, 8]``."""
    at = torch.arange(BLOCK, dtype=like.dtype, device=like.device)
    basis: Tensor = torch.cos(math.pi / BLOCK * (at + 0.5) * at[:, None]) * (2 / BLOCK) ** 0.5
    basis[0] /= 2**0.5
    return basis
