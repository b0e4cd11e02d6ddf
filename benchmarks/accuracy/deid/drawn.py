"""What drawn faces keep: a person within a track, none between tracks, pose, labels.

Sequences are made of photos: a picture moves, turns and grows a little from frame to frame. Labels
are judged by a linear probe on the matcher's embeddings, fitted to plain faces of other people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from sealshot.benchmarks.accuracy.deid.pictures import (
    FACE_PX,
    Looked,
    Shown,
    covered_image,
    look,
    scaled,
)
from sealshot.benchmarks.accuracy.deid.recognition import Judge, d_prime, distances
from sealshot.benchmarks.data.cache import Cache
from sealshot.benchmarks.data.dataset import read_folder
from sealshot.benchmarks.data.faces import MIN_FACE_PX, Faces, embed_faces, find_faces
from sealshot.benchmarks.data.matcher import Matcher
from sealshot.export.deid.labels import ATTRIBUTES, labels_of, read_labels
from sealshot.export.deid.pose import pose
from sealshot.runtime.cli.terminal import progress
from sealshot.runtime.detect import Detector, open_detector
from sealshot.runtime.public.painter import DRAWN_OVER, Painter
from sealshot.runtime.types import Face, Floats

FRAMES = 6
STEP_PX, STEP_DEG, STEP_SCALE = 1.5, 2.0, 0.02
"""Standard deviations of how a face moves, turns and grows from one frame to the next."""
RIDGES = 10.0 ** np.arange(-6, 1)
FEWEST = 5
"""Faces with a label and without it, of either set, for it to be judged."""


@dataclass(frozen=True)
class Label:
    """How often a label is what it is said to be, both ways weighing the same."""

    name: str
    plain: float
    """Of plain faces: how far the probe is to be trusted."""
    kept: float
    """Of faces that were drawn to keep all labels."""
    turned: float
    """Of faces that were drawn to turn all labels; low is as asked for."""


@dataclass(frozen=True)
class Drawn:
    """What was measured of a drawing net."""

    ks_p: float
    """Of Kolmogorov-Smirnov: that distances from frame to frame are spread as between people."""
    sudden: float
    """Share of the steps of a track between which the matcher sees two people."""
    d_prime_tracks: float
    """Of drawn against drawn: one picture in two tracks, against two people."""
    diversity: float
    """Mean distance of one picture in two tracks over that of plain faces of two people."""
    pose_rad: tuple[float, float, float] | None
    """Mean difference of yaw, pitch and roll where MTCNN finds the drawn face; None if nowhere."""
    labels: tuple[Label, ...]


@dataclass(frozen=True, eq=False)
class Probe:
    """Other people, whose labels are known, as the matcher sees them."""

    embedding: Floats
    """``[n, d]``."""
    known: NDArray[np.int64]
    """``[n, attributes]``: 0, 1, or -1."""
    rows: Mapping[str, Mapping[str, str]]
    """What is known of any picture, by its name."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What a matcher makes of all faces, drawn over and plain, at :data:`FACE_PX`."""

    plain: Looked
    frames: tuple[Looked, ...]
    """Of the sequences, drawn over; a detector looked at the first ones."""
    again: Looked
    """The first ones in another track."""

    def steps(self) -> NDArray[np.float64]:
        """Return the distances from frame to frame."""
        pairs = pairwise(looked.embedding for looked in self.frames)
        return np.concatenate([np.diagonal(distances(one, later)) for one, later in pairs])

    def tracks(self) -> NDArray[np.float64]:
        """Return the distances of all drawn faces to all that are drawn in another track."""
        return distances(self.frames[0].embedding, self.again.embedding)


def probe_of(
    folders: Sequence[Path], labels: Sequence[Path], matcher: Matcher, cache: Cache
) -> Probe:
    """Show labelled faces to a matcher.

    Args:
        folders: of folders of pictures; who they show does not matter.
        labels: files that say what is known of these and of the faces that are judged.
        matcher: the one that judges.
        cache: where the result is kept.
    """
    sets, rows = [read_folder(folder) for folder in folders], read_labels(labels)
    parts = [find_faces(pictures, "mtcnn", cache) for pictures in sets]
    return Probe(
        np.concatenate([embed_faces(faces, matcher, cache) for faces in parts]),
        np.concatenate([known_of(faces, rows) for faces in parts]),
        rows,
    )


def watch(judge: Judge, model: Path) -> Seen:
    """Let a net draw sequences, and look at them.

    Args:
        judge: a matcher, and the plain faces.
        model: the net.
    """
    find = open_detector("mtcnn", min_face_px=MIN_FACE_PX)
    count, painter = len(judge.faces), Painter(model)
    with progress("following drawn faces", FRAMES + 2) as bar:
        plain = look(
            judge.faces, judge.matcher, lambda i: scaled(judge.faces.view(i), FACE_PX), find
        )
        frames = []
        for number in range(FRAMES):
            bar.update(number + 1)
            frames.append(_look(judge, painter, number, 0, None if number else find))
        return Seen(plain, tuple(frames), _look(judge, painter, 0, count))


def measure(judge: Judge, seen: Seen, model: Path, probe: Probe | None = None) -> Drawn:
    """Measure what was seen of a net; labels where there is a probe for them."""
    within, tracks, other = seen.steps(), seen.tracks(), ~judge.same
    two_people = distances(judge.plain, judge.plain)[other]
    return Drawn(
        float(ks_2samp(within, tracks[other]).pvalue),
        float(np.mean(within > judge.limit)),
        d_prime(np.diagonal(tracks), tracks[other]),
        float(np.diagonal(tracks).mean() / two_people.mean()),
        _turned(seen.frames[0]),
        _labels(judge, model, probe) if probe else (),
    )


def frame(judge: Judge, painter: Painter, index: int, number: int, track: int) -> Shown:
    """Return a frame of the sequence that is made of one face, drawn over."""
    image, face = scaled(judge.faces.view(index), FACE_PX)
    height, width = image.shape[:2]
    draw = np.random.default_rng(index)
    x, y = (face.box[:2] + face.box[2:]) / 2
    matrix = np.eye(3)
    for _ in range(number):
        angle, scale = draw.normal(0, STEP_DEG), 1 + draw.normal(0, STEP_SCALE)
        step = np.vstack([cv2.getRotationMatrix2D((float(x), float(y)), angle, scale), [0, 0, 1]])
        step[:2, 2] += draw.normal(0, STEP_PX, 2)
        matrix = step @ matrix
    moved = cv2.warpAffine(image, matrix[:2], (width, height), borderMode=cv2.BORDER_REPLICATE)
    points = (np.c_[face.landmarks, np.ones(5)] @ matrix[:2].T).astype(np.float32)
    centre = matrix[:2] @ [x, y, 1]
    half = (face.box[2:] - face.box[:2]) / 2 * np.sqrt(np.linalg.det(matrix[:2, :2]))
    there = Face(np.r_[centre - half, centre + half].astype(np.float32), face.score, points)
    picture = np.asarray(moved, np.uint8)
    return covered_image(picture, there, DRAWN_OVER, painter, track), there


def _look(
    judge: Judge, painter: Painter, number: int, first_track: int, find: Detector | None = None
) -> Looked:
    return look(
        judge.faces,
        judge.matcher,
        lambda index: frame(judge, painter, index, number, first_track + index),
        find,
    )


def _turned(looked: Looked) -> tuple[float, float, float] | None:
    pairs = [(looked.again(index), face) for index, face in enumerate(looked.wanted)]
    off = [
        np.abs(np.angle(np.exp(1j * (pose(found.landmarks) - pose(face.landmarks)))))
        for found, face in pairs
        if found
    ]
    if not off:
        return None
    yaw, pitch, roll = (float(v) for v in np.mean(off, 0))
    return yaw, pitch, roll


def _labels(judge: Judge, model: Path, probe: Probe) -> tuple[Label, ...]:
    asked = [
        Painter(model, dict.fromkeys(Painter(model).manifest.attributes, sign)) for sign in (1, -1)
    ]
    drawn = [_look(judge, painter, 0, 0).embedding for painter in asked]
    known, found = known_of(judge.faces, probe.rows), []
    for name, label, fitted in zip(ATTRIBUTES, known.T, probe.known.T, strict=True):
        if min((each == side).sum() for each in (label, fitted) for side in (0, 1)) >= FEWEST:
            line = fit(probe.embedding, fitted)
            right = [hits(line, seen, label) for seen in (judge.plain, *drawn)]
            found.append(Label(name, *right))
    return tuple(found)


def known_of(faces: Faces, rows: Mapping[str, Mapping[str, str]]) -> NDArray[np.int64]:
    """Return what is known of faces, ``[n, attributes]``: 0, 1, or -1."""
    files = [Path(faces.pictures.files[picture]).name for picture in faces.picture]
    return np.array([labels_of(rows.get(file, {})) for file in files])


def fit(embedding: Floats, label: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the line ``[d + 1]`` whose sign says a label: a ridge regression, classes balanced, of
    the strength by which each face is told best from all others.

    Args:
        embedding: ``[n, d]``.
        label: ``[n]``: 0, 1, or -1 where nobody knows.
    """
    known = label >= 0
    x, y = np.c_[embedding[known], np.ones(known.sum())], 2.0 * label[known] - 1
    root = np.sqrt(np.where(y > 0, 1 / (y > 0).sum(), 1 / (y < 0).sum()))
    left, sizes, right = np.linalg.svd(root[:, None] * x, full_matrices=False)
    best, line = -1.0, np.zeros(x.shape[1])
    for ridge in RIDGES:
        share = sizes**2 / (sizes**2 + ridge)
        own = (left**2 * share).sum(1)
        said = left @ (share * (left.T @ (root * y)))
        alone = said - own * root * y > 0  # what the others say of each, but for its length
        good = (alone == (y > 0)) @ root**2 / 2
        if good > best:
            best, line = good, right.T @ (sizes / (sizes**2 + ridge) * (left.T @ (root * y)))
    return np.asarray(line, np.float64)


def hits(line: NDArray[np.float64], embedding: Floats, label: NDArray[np.int64]) -> float:
    """Return how often a line says the label, both ways weighing the same."""
    right = (embedding @ line[:-1] + line[-1] > 0) == (label == 1)
    return float((right[label == 0].mean() + right[label == 1].mean()) / 2)
