"""A face in the planes of a picture as the square that a net sees, and back again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.public.cover import Plane, around, inside
from sealshot.runtime.public.placing import LANDMARKS, SIDE_PX, placing
from sealshot.runtime.types import Face, Floats

WHOLE, NOTHING = 0.62, 0.97
"""Share of half the square up to which, and from which on, what is put back is all, and nothing."""


@dataclass(frozen=True, eq=False)
class Square:
    """Where the square of one face lies in a picture."""

    face: Face
    """In pixels of the first plane."""
    size: tuple[int, int]
    """Width and height of the first plane."""

    def cut(self, planes: Sequence[Plane]) -> NDArray[np.uint8]:
        """Return the face, ``uint8 [3, 64, 64]``: Y, U, V."""
        side = (SIDE_PX, SIDE_PX)
        parts = [
            cv2.warpAffine(plane, self._to(plane), side, borderMode=cv2.BORDER_REPLICATE)
            for plane in planes
        ]
        deep = _deep(planes[0])
        return np.stack([(np.asarray(part, np.uint16) >> deep).astype(np.uint8) for part in parts])

    def landmarks(self) -> Floats:
        """Return the landmarks, ``float32 [5, 2]``, pixels of the square."""
        points = np.c_[self.face.landmarks, np.ones(LANDMARKS)]
        return np.asarray(points @ placing(self.face.landmarks).T, np.float32)

    def put(self, planes: Sequence[Plane], picture: NDArray[np.uint8]) -> None:
        """Blend ``picture``, ``uint8 [3, 64, 64]``, into planes, within the region of the face."""
        width, height = self.size
        rectangle = inside(around(self.face.box), width, height)
        if rectangle is None:
            return
        x0, y0, x1, y1 = rectangle
        for plane, shown in zip(planes, picture, strict=True):
            step_x, step_y = _steps(plane, self.size)
            left, top = x0 // step_x, y0 // step_y
            part = plane[top : -(-y1 // step_y), left : -(-x1 // step_x)]
            moved = self._to(plane)
            moved[:, 2] += moved[:, :2] @ [left, top]
            how, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, part.shape[::-1]
            alpha = cv2.warpAffine(ALPHA, moved, size, flags=how)
            bright = shown.astype(np.float32) * (1 << _deep(plane))
            bright = cv2.warpAffine(bright, moved, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
            part[:] = np.rint(part + alpha * (bright - part)).astype(part.dtype)

    def _to(self, plane: Plane) -> NDArray[np.float64]:
        """Return the map from pixels of a plane to the square, ``[2, 3]``."""
        to_square = placing(self.face.landmarks)
        step = np.array(_steps(plane, self.size))
        scaled: NDArray[np.float64] = to_square.copy()
        scaled[:, 2] += to_square[:, :2] @ ((step - 1) / 2)
        scaled[:, :2] *= step
        return scaled


def squares(planes: Sequence[Plane], faces: Sequence[Face]) -> list[Square]:
    """Return the square of each face in planes (Y, U, V)."""
    height, width = planes[0].shape
    return [Square(face, (width, height)) for face in faces]


def _steps(plane: Plane, size: tuple[int, int]) -> tuple[int, int]:
    """Return for how many pixels of the first plane one of a plane stands: 1 or 2."""
    return round(size[0] / plane.shape[1]), round(size[1] / plane.shape[0])


def _deep(plane: Plane) -> int:
    """Return the bits beyond 8."""
    return 2 if plane.dtype != np.uint8 else 0


def _alpha() -> Floats:
    at = (np.arange(SIDE_PX) + 0.5) / (SIDE_PX / 2) - 1
    away = np.hypot(at[:, None], at[None])
    part = np.clip((NOTHING - away) / (NOTHING - WHOLE), 0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float32)


ALPHA = _alpha()
"""How much of what is put back shows, ``float32 [64, 64]``."""
