"""Faces and the scores that they must get: what an engine is held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.demo.clip import FPS, WALKS, render
from sealshot.runtime.engines import open_engine
from sealshot.runtime.models import score_graph

BOX_TO_FACE = 1.3
"""Side of a detector's box over the width of the face in the rendered clip."""


@dataclass(frozen=True, eq=False)
class Golden:
    """Reference scores."""

    crops: NDArray[np.uint8]
    """``uint8 [n, 1, 64, 64]``."""
    scores: NDArray[np.float64]
    """``[n]``."""
    origin: str
    """Where the scores come from, for people."""
    made_by: tuple[str, str] | None
    """Engine and precision on this machine that gave them; None where they came from elsewhere."""


def golden(score: str) -> Golden:
    """Return faces of the demo clip, and their scores by ONNX Runtime in fp32 on this machine.

    Args:
        score: a score's name or file.

    Raises:
        InputError: there is no such score.
    """
    crops = demo_crops()
    engine = open_engine(score_graph(score), "onnxruntime", "fp32")
    return Golden(
        crops=crops,
        scores=np.asarray(engine.score(crops), np.float64),
        origin="ONNX Runtime fp32 on this machine",
        made_by=("onnxruntime", "fp32"),
    )


def demo_crops(every: int = 4) -> NDArray[np.uint8]:
    """Return crops of both people of the demo clip: near and far, sharp and blurred, lit and dark.

    Args:
        every: of how many frames one is used.

    Returns:
        ``uint8 [n, 1, 64, 64]``.
    """
    crops = []
    for index, frame in enumerate(render()):
        if index % every:
            continue
        poses = [pose for walk in WALKS if (pose := walk.pose(index / FPS))]
        boxes = []
        for pose in poses:
            half = BOX_TO_FACE * pose.face_px / 2
            corners = (pose.x - half, pose.y - half, pose.x + half, pose.y + half)
            boxes.append(np.array(corners, np.float32))
        crops.append(crop_resize_grey(frame, boxes))
    return np.concatenate(crops)
