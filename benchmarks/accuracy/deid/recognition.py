"""What a face matcher still knows of covered faces, and whether a detector still finds them.

Each picture is scaled until its face has a given width, covered as the public stream covers it, and
given to the matcher at the landmarks of the face as it was, so that a matcher that could not find
the face any more has it handed over. Three questions:

- Is the covered picture taken for the very picture it was made of (at a false match rate, with the
  threshold of plain pictures)?
- Does a plain picture of a person come nearer to the covered ones of that person than to those of
  others (AUC .5: it does not)?
- The same for somebody who covers the plain pictures too, and compares covered with covered
  ("parrot recognition", Newton, Sweeney, Malin 2005, doi 10.1109/TKDE.2005.32).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.deid.baselines import baselines
from sealshot.benchmarks.accuracy.deid.pictures import (
    FACE_PX,
    SAME_IOU,
    Looked,
    Shown,
    covered_image,
    look,
    scaled,
)
from sealshot.benchmarks.accuracy.erc.curve import start_at_fmr
from sealshot.benchmarks.data.faces import MIN_FACE_PX, Faces
from sealshot.benchmarks.data.matcher import Matcher
from sealshot.runtime.cli.terminal import progress
from sealshot.runtime.detect import open_detector
from sealshot.runtime.detect.boxes import iou
from sealshot.runtime.public.cover import STYLES, Style
from sealshot.runtime.public.painter import DRAWN_OVER, Painter
from sealshot.runtime.types import Face, Floats, Image

WIDTHS_PX = (32, 64, 128)
FMR = 1e-3
PLAIN = "plain"
MOST_SAME, LEAST_AUC, MOST_AUC = 0.01, 0.45, 0.57
"""The bar of recognition; an AUC far below .5 tells who it is too."""


@dataclass(frozen=True)
class Row:
    """One style at one width of face."""

    style: str
    """``plain`` for pictures that are only scaled."""
    face_px: int
    same_picture: float
    """Share of covered pictures that match the picture they were made of."""
    auc: float
    """Plain against covered: genuine (another picture of the person) against impostor."""
    auc_parrot: float
    """Covered against covered."""
    d_prime: float
    """Of plain against covered: how far genuine and impostor distances lie apart, in deviations."""
    found: float
    """Share of covered pictures in which MTCNN finds the face where it was."""
    confidence: float
    """Its mean confidence in those; 0 where there is none."""
    average_precision: float
    """Of all that MTCNN finds, at an overlap of one half with the face as it was."""
    pearson: float | None
    """Correlation of its confidence in plain and covered faces that it finds in both; None where
    these are fewer than three, or all alike."""

    @property
    def hides(self) -> bool:
        """Whether the style passes the bar of recognition at this width."""
        return self.same_picture <= MOST_SAME and LEAST_AUC <= self.auc <= MOST_AUC


@dataclass(frozen=True, eq=False)
class Judge:
    """A matcher that knows the plain faces."""

    faces: Faces
    matcher: Matcher
    plain: Floats
    """``[n, d]``: embeddings of the faces as they are."""
    limit: float
    """Distance up to which two are one person, at :data:`FMR` among plain faces."""

    @property
    def same(self) -> NDArray[np.bool_]:
        """Which pairs show one person, ``[n, n]``."""
        person = self.faces.person()
        return np.asarray(person[:, None] == person[None])


def judge_of(faces: Faces, matcher: Matcher) -> Judge:
    """Show the plain faces to a matcher."""
    plain = look(faces, matcher, lambda index: scaled(faces.view(index), None)).embedding
    person = faces.person()
    other = np.triu(person[:, None] != person[None])
    return Judge(faces, matcher, plain, start_at_fmr(distances(plain, plain)[other], FMR).threshold)


def evaluate(judge: Judge, painter: Painter | None = None) -> list[Row]:
    """Measure our styles at all widths, ``face`` where there is somebody who paints, and what
    others do at :data:`FACE_PX`."""
    find = open_detector("mtcnn", min_face_px=MIN_FACE_PX)
    ours, others = _styles(painter), baselines()
    runs = [(width, name) for width in WIDTHS_PX for name in ours]
    runs += [(FACE_PX, name) for name in others]
    rows: list[Row] = []
    plain: dict[int, Looked] = {}
    with progress("covering", len(runs)) as bar:
        for width, name in runs:

            def show(index: int, width: int = width, name: str = name) -> Shown:
                image, face = scaled(judge.faces.view(index), width)
                if name in others:
                    return others[name](image, face), face
                return ours[name](image, face, index), face

            looked = look(judge.faces, judge.matcher, show, find)
            rows.append(_row(name, width, judge, looked, plain.setdefault(width, looked)))
            bar.update(len(rows))
    order = [*ours, *others]
    return sorted(rows, key=lambda row: order.index(row.style))


def _styles(painter: Painter | None) -> dict[str, Callable[[Image, Face, int], Image]]:
    """Return what our own styles make of a picture, its face, and the number of its track."""

    def covered(style: Style, drawing: Painter | None = None) -> Callable[..., Image]:
        return lambda image, face, track: covered_image(image, face, style, drawing, track)

    found: dict[str, Callable[[Image, Face, int], Image]] = {PLAIN: lambda image, *_: image}
    found |= {style: covered(style) for style in STYLES}
    return found | ({"face": covered(DRAWN_OVER, painter)} if painter else {})


def _row(name: str, width: int, judge: Judge, looked: Looked, plain: Looked) -> Row:
    same, other = judge.same, ~np.eye(len(judge.faces), dtype=bool)
    across = distances(judge.plain, looked.embedding)
    parrot = distances(looked.embedding, looked.embedding)
    genuine, impostor = across[same & other], across[~same]
    sure = looked.confidence()
    return Row(
        name,
        width,
        float(np.mean(np.diagonal(across) <= judge.limit)),
        auc(genuine, impostor),
        auc(parrot[same & other], parrot[~same]),
        d_prime(genuine, impostor),
        float(np.mean(sure > 0)),
        float(sure[sure > 0].mean()) if (sure > 0).any() else 0.0,
        average_precision(looked.found, looked.wanted),
        pearson(plain.confidence(), sure),
    )


def average_precision(found: Sequence[Sequence[Face]], wanted: Sequence[Face]) -> float:
    """Return the area under precision over recall, as PASCAL VOC counts it since 2010.

    Args:
        found: of each picture, what a detector finds.
        wanted: the one face of each picture; whatever else is found is wrong.
    """
    each: list[tuple[float, bool]] = []
    for there, face in zip(found, wanted, strict=True):
        taken: bool = False
        for one in sorted(there, key=lambda one: -one.score):
            right = not taken and bool(iou(one.box[None], face.box[None]) > SAME_IOU)
            taken |= right
            each.append((one.score, right))
    if not each:
        return 0.0
    hits = np.array([hit for _, hit in sorted(each, key=lambda one: -one[0])])
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[hits].sum() / len(wanted))


def pearson(left: Floats, right: Floats) -> float | None:
    """Return the correlation where both are above 0; None where there is none."""
    both = (left > 0) & (right > 0)
    if both.sum() < 3 or not left[both].std() or not right[both].std():
        return None
    return float(np.corrcoef(left[both], right[both])[0, 1])


def d_prime(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> float:
    """Return the distance of two means over the root of the mean variance."""
    spread = np.sqrt((genuine.var() + impostor.var()) / 2)
    return float(abs(genuine.mean() - impostor.mean()) / spread) if spread else 0.0


def auc(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> float:
    """Return how often a genuine distance is below an impostor's; a tie counts half."""
    ordered = np.sort(impostor)
    above = len(ordered) - np.searchsorted(ordered, genuine, "right")
    ties = np.searchsorted(ordered, genuine, "right") - np.searchsorted(ordered, genuine, "left")
    return float(np.mean(above + ties / 2) / len(ordered))


def distances(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.float64]:
    """Return the Euclidean distances of unit vectors, ``[n, m]``."""
    cosine = np.clip(left.astype(np.float64) @ right.T.astype(np.float64), -1, 1)
    return np.asarray(np.sqrt(2 - 2 * cosine), np.float64)
