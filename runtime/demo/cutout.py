"""A head cut out of a picture, and carried into another one: nearer, turned, blurred and dimmed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pose:
    """How one person is shown in one frame."""

    x: float
    """Centre of the face, pixels."""
    y: float
    face_px: float
    """Width of the face."""
    yaw_deg: float
    """Turn of the head away from the camera; above 0 the face looks to the left of the picture."""
    blur_px: float = 0.0
    """Sigma of the Gaussian blur, pixels of the frame."""
    light: float = 1.0
    """Gain, 1 is full light."""

    @property
    def is_good(self) -> bool:
        """Whether this is one of the frames that a person would choose."""
        frontal = abs(self.yaw_deg) <= 30
        return frontal and self.blur_px <= 1.2 and self.light >= 0.85 and self.face_px >= 90


@dataclass(frozen=True, eq=False)
class Cutout:
    """A head and what belongs to it."""

    image: NDArray[np.float32]
    """``float32 [h, w, 3]`` BGR, 0 to 255."""
    mask: NDArray[np.float32]
    """``float32 [h, w]``: 1 where it is opaque, 0 where it is not there."""
    centre: tuple[float, float]
    """Of the face, pixels."""
    face_px: float
    """Width of the face."""

    def mirrored(self) -> Cutout:
        """Return it with left and right exchanged."""
        x, y = self.centre
        centre = (self.mask.shape[1] - x, y)
        return Cutout(self.image[:, ::-1], self.mask[:, ::-1], centre, self.face_px)

    def draw(self, frame: NDArray[np.float32], pose: Pose) -> None:
        """Draw it into a frame: turned as if it lay on a cylinder, scaled, blurred, dimmed.

        Args:
            frame: ``float32 [height, width, 3]`` BGR; drawn upon.
            pose: how; a face far smaller than in the cutout shows its pixels unaveraged.
        """
        h, w = self.mask.shape
        height, width = frame.shape[:2]
        scale = pose.face_px / self.face_px
        x0, x1 = _reach(pose.x, scale * w / 2, width)
        y0, y1 = _reach(pose.y, scale * h, height)
        rows, columns = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        u = (columns - np.float32(pose.x)) / np.float32(scale * w / 2)  # -1 to 1 across
        angle = np.arcsin(np.clip(u, -1, 1)) + np.float32(math.radians(pose.yaw_deg))
        seen = (np.abs(u) <= 1) & (np.abs(angle) < math.pi / 2)
        at_x = np.where(seen, np.sin(angle) * (w / 2) + self.centre[0], -1e4).astype(np.float32)
        at_y = (rows - np.float32(pose.y)) / np.float32(scale) + np.float32(self.centre[1])
        shown = cv2.remap(self.image, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.remap(self.mask, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        if pose.blur_px > 0.05:
            shown = cv2.GaussianBlur(shown, (0, 0), pose.blur_px)
            alpha = cv2.GaussianBlur(alpha, (0, 0), pose.blur_px)
        part = frame[y0:y1, x0:x1]
        part += alpha[..., None] * (shown * np.float32(pose.light) - part)


def _reach(centre: float, half: float, limit: int) -> tuple[int, int]:
    margin = 8  # for the blur
    return max(0, int(centre - half) - margin), min(limit, int(centre + half) + margin)
