"""What a detector takes: a check that says what is wrong with anything else."""

from __future__ import annotations

import numpy as np

from sealshot.runtime.errors import InputError
from sealshot.runtime.planes import Planes
from sealshot.runtime.types import Pixels


def checked(image: Pixels) -> Pixels:
    """Return ``image`` with its rows in one piece of memory.

    Raises:
        InputError: it is not uint8 ``[h, w, 3]``, or has no pixel.
    """
    if isinstance(image, Planes):
        return image
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3:
        shape = list(image.shape) if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(
            f"an image must be [height, width, 3], not {shape}",
            hint="convert a grey image with cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)",
        )
    if image.dtype != np.uint8:
        raise InputError(
            f"an image must be uint8, not {image.dtype}",
            hint="scale its values to 0..255 and convert it with astype('uint8')",
        )
    if image.size == 0:
        raise InputError(
            f"an image of {image.shape[1]}x{image.shape[0]} pixels has nothing to look at",
            hint="check what cut or read it",
        )
    return np.ascontiguousarray(image)
