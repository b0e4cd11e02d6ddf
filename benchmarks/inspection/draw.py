"""The pictures of the paper's evaluation on video: filmstrip, score over time, frames with boxes.

Baert, Leroux and Simoens (2021), figures 7, 8 and 9. All show plain faces, the chart of the score
excepted.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from sealshot.benchmarks.inspection.history import (
    THUMB_PX,
    History,
    Point,
    Scene,
    Thumb,
    decode,
    encode,
    thumb_of,
)
from sealshot.runtime.crops import cut, square
from sealshot.runtime.types import Image, Shot

STRIP = 14
"""Crops in a filmstrip."""
CAPTION_PX = 34
Colour = tuple[int, int, int]
CHOSEN, OTHER, PASSING = (80, 200, 60), (60, 150, 255), (170, 170, 170)  # BGR
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_strip(history: History, shot: Shot, margin: float) -> bytes:
    """Draw crops of a track in order, evenly spaced in time, the chosen one framed (figure 7).

    Args:
        history: the track.
        shot: what was chosen of it.
        margin: with which the shot was cut.

    Returns:
        A JPEG: the squares that were scored, in colour; under each its time and score.
    """
    point = Point(shot.frame, shot.time_s, history.order(shot.score))
    chosen = Thumb(point, thumb_of(without(shot, margin)))
    cells = [
        _cell(thumb, history.score(thumb.point.order), framed=thumb is chosen)
        for thumb in spaced(history.thumbs.items, chosen)
    ]
    return encode(np.hstack(cells))


def spaced(thumbs: Sequence[Thumb], chosen: Thumb, count: int = STRIP) -> list[Thumb]:
    """Return at most ``count`` thumbs, evenly spaced in time, ``chosen`` among them, in order."""
    others = [t for t in thumbs if t.point.frame != chosen.point.frame]
    if others:
        times = np.array([t.point.time_s for t in others])
        wanted = np.linspace(times[0], times[-1], count - 1)
        nearest = np.abs(times[None] - wanted[:, None]).argmin(axis=1)  # [count - 1]
        others = [others[i] for i in np.unique(nearest)]
    return sorted([*others, chosen], key=lambda t: t.point.frame)


def without(shot: Shot, margin: float) -> Image:
    """Return the part of a shot's picture that was scored, ``uint8 [side, side, 3]``."""
    box = np.asarray(shot.box, np.float32)
    x, y, side = square(box)
    left, top, _ = square(box, margin)  # the picture begins there, or at the frame's edge
    return cut(shot.image, x - max(left, 0), y - max(top, 0), side)


def draw_scores(history: History, shot: Shot, name: str) -> bytes:
    """Draw the score of a track over time, the chosen frame marked (figure 8).

    Args:
        history: the track.
        shot: what was chosen of it.
        name: what the score is called.

    Returns:
        A PNG.
    """
    from sealshot.benchmarks.page.figures import COLOURS, figure  # matplotlib is an extra

    drawn = figure(2.4)
    axes = drawn.add_subplot()
    points = history.points.items
    times, scores = [p.time_s for p in points], [history.score(p.order) for p in points]
    axes.plot(times, scores, ".-", color=COLOURS[0], lw=1, ms=3)
    axes.plot([shot.time_s], [shot.score], "o", color="#3cc850", ms=10, mfc="none", mew=2.2)
    axes.annotate(
        f"frame {shot.frame}, percentile {shot.percentile:.0f}",
        (shot.time_s, shot.score),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
    )
    axes.margins(y=0.25)
    axes.set_xlabel("seconds of the video")
    axes.set_ylabel(f"score {name}")
    file = io.BytesIO()
    drawn.savefig(file, format="png", dpi=200)
    return file.getvalue()


def draw_scene(scene: Scene, chosen: Mapping[int, int]) -> bytes:
    """Draw the boxes, identifiers and scores of the tracks into a frame (figure 9).

    Args:
        scene: the frame.
        chosen: from a track to the frame that was chosen of it: its box is green in that frame and
            orange in any other. A track that is not in it has a grey box.

    Returns:
        A JPEG.
    """
    image = decode(scene.jpeg)
    for mark in scene.marks:
        colour: Colour = PASSING
        if mark.track in chosen:
            colour = CHOSEN if chosen[mark.track] == scene.frame else OTHER
        x0, y0, x1, y1 = mark.box.round().astype(int).tolist()
        cv2.rectangle(image, (x0, y0), (x1, y1), colour, 3 if colour == CHOSEN else 2)
        _label(image, f"{mark.track}: {mark.score:.5g}", (x0, y0), colour)
    _label(image, f"frame {scene.frame}, {scene.time_s:.2f} s", (6, 24), WHITE)
    return encode(image)


def _cell(thumb: Thumb, score: float, *, framed: bool) -> Image:
    """One crop of a strip with its caption, ``uint8 [.., .., 3]``."""
    edge = 6
    cell = np.full((THUMB_PX + 2 * edge + CAPTION_PX, THUMB_PX + 2 * edge, 3), 255, np.uint8)
    if framed:
        cell[: THUMB_PX + 2 * edge] = CHOSEN
    cell[edge : edge + THUMB_PX, edge : edge + THUMB_PX] = decode(thumb.jpeg)
    for line, text in enumerate((f"{thumb.point.time_s:.2f} s", f"{score:.5g}")):
        at = (edge, THUMB_PX + 2 * edge + 13 + 15 * line)
        cv2.putText(cell, text, at, FONT, 0.42, BLACK, 1, cv2.LINE_AA)
    return cell


def _label(image: Image, text: str, at: tuple[int, int], colour: Colour) -> None:
    """Write on a filled ground, above ``at`` and inside the picture."""
    (width, height), _ = cv2.getTextSize(text, FONT, 0.5, 1)
    x = int(np.clip(at[0], 0, max(0, image.shape[1] - width - 4)))
    y = int(np.clip(at[1] - 4, height + 4, image.shape[0] - 4))
    cv2.rectangle(image, (x, y - height - 3), (x + width + 4, y + 4), colour, -1)
    cv2.putText(image, text, (x + 2, y), FONT, 0.5, BLACK, 1, cv2.LINE_AA)
