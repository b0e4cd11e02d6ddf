"""Turning pictures, and planes of them, as their stream asks for."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import cv2
from numpy.typing import NDArray

from sealshot.runtime.sandbox.shape import Turn

Pixels = TypeVar("Pixels", bound=NDArray[Any])


def turned(image: Pixels, turn: Turn) -> Pixels:
    """Turn and mirror a picture, or a plane of one."""
    if turn.transposed:
        image = cast(Pixels, cv2.transpose(image))
    if turn.right_to_left or turn.upside_down:
        code = -1 if turn.right_to_left and turn.upside_down else int(turn.right_to_left)
        image = cast(Pixels, cv2.flip(image, code))
    return image
