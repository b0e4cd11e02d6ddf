"""Render a clip of two people who walk, turn and blur under changing light.

Both are the same public-domain portrait (PORTRAIT.md), the second one mirrored: sealshot follows
tracks and does not know who anyone is. Since each frame is rendered, the best ones are known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.demo.cutout import Cutout, Pose
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.files import WRITE_ELSEWHERE
from sealshot.runtime.types import Image

WIDTH, HEIGHT, FPS, SECONDS = 960, 540, 25, 7.0
PORTRAIT = Path(__file__).with_name("portrait.jpg")
FACE_CENTRE = (121.0, 112.0)  # of the portrait, pixels
FACE_WIDTH = 90.0


@dataclass(frozen=True)
class Walk:
    """One person's way through the picture."""

    from_x: float
    to_x: float
    y: float
    start_s: float
    end_s: float
    best_s: float
    """When the person is near, sharp, lit and looks at the camera."""
    mirrored: bool

    def pose(self, time_s: float) -> Pose | None:
        """Return how the person is shown, or None before and after the walk."""
        if not self.start_s <= time_s <= self.end_s:
            return None
        done = (time_s - self.start_s) / (self.end_s - self.start_s)
        off = time_s - self.best_s
        return Pose(
            x=self.from_x + (self.to_x - self.from_x) * done,
            y=self.y + 4 * math.sin(2 * math.pi * 1.8 * time_s),
            face_px=45 + 55 * math.exp(-((off / 1.6) ** 2)),
            yaw_deg=60 * math.tanh(off / 0.9),
            blur_px=2.2 * abs(math.sin(1.1 * off)),
            light=0.45 + 0.55 * math.exp(-((off / 1.5) ** 2)),
        )


WALKS = (
    Walk(130, 420, 250, start_s=0.4, end_s=5.6, best_s=3.2, mirrored=False),
    Walk(820, 590, 280, start_s=1.6, end_s=6.8, best_s=4.6, mirrored=True),
)


def render() -> Iterator[Image]:
    """Render the clip, frame by frame: ``uint8 [540, 960, 3]`` BGR, 25 a second."""
    cutout = portrait()
    wall = room(WIDTH, HEIGHT)
    grain = np.random.default_rng(0).normal(0, 2.0, wall.shape).astype(np.float32)
    for index in range(int(SECONDS * FPS)):
        frame = wall.copy()
        for walk in WALKS:
            pose = walk.pose(index / FPS)
            if pose is not None:
                (cutout.mirrored() if walk.mirrored else cutout).draw(frame, pose)
        frame += np.roll(grain, 7919 * index)
        yield np.clip(frame, 0, 255).astype(np.uint8)


def write_clip(path: Path) -> None:
    """Write the clip as Motion JPEG in AVI, which every OpenCV can write and read.

    Raises:
        SealshotError: the file cannot be written whole; none is left.
    """
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*"MJPG"), float(FPS), (WIDTH, HEIGHT)
    )
    for frame in render():
        writer.write(frame)
    writer.release()
    # OpenCV says nothing of a full disk
    if cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT) != int(SECONDS * FPS):
        path.unlink(missing_ok=True)
        raise SealshotError(f"cannot write all of {path}", hint=WRITE_ELSEWHERE)


def portrait() -> Cutout:
    """Return the portrait, cut out."""
    image = cv2.imread(str(PORTRAIT), cv2.IMREAD_COLOR)
    assert image is not None
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.ellipse(mask, (123, 98), (80, 86), 0, 0, 360, 255, -1)
    cv2.fillPoly(mask, [np.array([(20, 300), (20, 215), (90, 165), (150, 165), (230, 300)])], 255)
    soft = cv2.GaussianBlur(mask, (0, 0), 4)
    opaque = np.asarray(soft, np.float32) / np.float32(255)
    return Cutout(np.asarray(image, np.float32), opaque, FACE_CENTRE, FACE_WIDTH)


def room(width: int, height: int) -> NDArray[np.float32]:
    """Return a wall with a few panels, so that it is not flat, ``float32 [height, width, 3]``."""
    wall = np.empty((height, width, 3), np.float32)
    wall[:] = np.linspace(170, 110, height, dtype=np.float32)[:, None, None]
    for x in range(60, width, 180):
        cv2.rectangle(wall, (x, 60), (x + 110, 420), (120, 130, 140), 3)
    return wall
