from __future__ import annotations

import numpy as np
import pytest

from sealshot.kernels.rtl.reference import IntegerLayer, IntegerNet
from sealshot.kernels.rtl.shape import LAYERS


@pytest.fixture(scope="session")
def drawn_net() -> IntegerNet:
    """A net of drawn numbers: all signs, every shift, sums that clip at both ends."""
    rng = np.random.default_rng(0)
    return IntegerNet(
        tuple(
            IntegerLayer(
                shape,
                rng.integers(
                    -127, 128, (shape.channels_out, shape.channels_in, shape.kernel, shape.kernel)
                ).astype(np.int8),
                rng.integers(-20000, 20000, shape.channels_out).astype(np.int32),
                rng.integers(2**11, 2**14, shape.channels_out).astype(np.uint16),
                rng.integers(0, 8, shape.channels_out).astype(np.uint8),
            )
            for shape in LAYERS
        ),
        2.0**-10,
    )


@pytest.fixture(scope="session")
def hard_crops() -> np.ndarray:
    """Black, white, noise and a checkerboard, ``uint8 [4, 1, 64, 64]``."""
    y, x = np.mgrid[:64, :64]
    noise = np.random.default_rng(1).integers(0, 256, (64, 64))
    pictures = [np.zeros((64, 64)), np.full((64, 64), 255), noise, 255 * ((y + x) % 2)]
    return np.stack(pictures).astype(np.uint8)[:, None]
