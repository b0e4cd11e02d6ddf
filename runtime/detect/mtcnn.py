"""MTCNN: three small networks, each of which looks closer at what the one before it let pass.

Zhang, Zhang, Li, Qiao 2016, doi 10.1109/LSP.2016.2603342. The P-net slides over an image pyramid
and proposes boxes, the R-net refines and rejects, the O-net gives final boxes and landmarks. The
weights are those of facenet-pytorch (`sealshot.export.mtcnn`), so the arithmetic is its arithmetic
too: boxes count pixels from 1 and include both ends. To look quickly, a smaller network
(`sealshot.export.proposer`) says first where the P-net is to look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.detect.boxes import iou, square, suppress, suppress_nested
from sealshot.runtime.detect.changes import MOST, Places
from sealshot.runtime.detect.image import checked
from sealshot.runtime.detect.pyramid import (
    COARSE_STRIDE_PX,
    STRIDE_PX,
    WINDOW_PX,
    Part,
    Spots,
    boxes_at,
    glimpse,
    levels,
    parts,
    slide,
)
from sealshot.runtime.detect.sampling import MeanSampler, MipSampler, Sampler
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.engines.runner import Arrays, Runner
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Floats, Pixels
from sealshot.runtime.weights import FOLDER

RNET_PX, ONET_PX = 24, 48  # what the networks look at
PNET_CHUNK, RNET_CHUNK, ONET_CHUNK = 64, 16, 8  # larger ones are no faster and take more memory
PNET_OVERLAP, RNET_OVERLAP, ONET_OVERLAP = 0.7, 0.7, 0.7
SAME_FACE_IOU = 0.5
NETS = "proposer", "mtcnn_pnet", "mtcnn_pnet_stride4", "mtcnn_rnet", "mtcnn_onet"
ALL_LEVELS = 64
"""More than any image has."""
GLIMPSED_SCORE = 0.5
"""The score by which the smaller network lets the P-net look somewhere."""
CLEAR_SCORE = 0.85
"""The score that lets a box of the P-net pass there: of a clear third, in which nearly all faces
are."""


@dataclass(frozen=True)
class Settings:
    """What trades fidelity for speed. The defaults are facenet-pytorch's."""

    factor: float = 0.709
    """Size of a pyramid level over that of the level before it."""
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    """The score that lets a box pass the P-, R- and O-net."""
    coarse_levels: int = 0
    """Levels, from the largest on, where the P-net looks at a window every 4 pixels, not 2."""
    average: bool = False
    """Whether a face is the mean of all boxes that the O-net gave for it, or the best of them."""
    together_px: int = 0
    """Parts of levels with fewer pixels share a call."""
    sampler: Callable[[Pixels], Sampler] = MeanSampler
    """How the image is shrunk to the levels and cut to crops."""
    glances: bool = False
    """Whether it is enough to follow known faces between two looks at the whole picture."""


EXACT = Settings()
"""Box for box what facenet-pytorch finds."""
FAST = Settings(
    factor=0.65,
    thresholds=(0.7, 0.7, 0.7),
    coarse_levels=1,
    average=True,
    together_px=30_000,
    sampler=MipSampler,
    glances=True,
)
"""A third of the time; `benchmarks/accuracy/detection.py` measures what it costs in recall."""


@dataclass(frozen=True, eq=False)
class View:
    """An image that is being looked at."""

    sampler: Sampler
    size: NDArray[np.int64]
    """Width and height."""


@dataclass(frozen=True, eq=False)
class Found:
    """What the O-net says of ``n`` windows."""

    boxes: Floats
    """``[n, 4]``"""
    score: Floats
    """``[n]``"""
    points: Floats
    """``[n, 5, 2]``"""

    def over(self, least: float | Floats) -> Found:
        """Return what has a score above ``least``."""
        passed = self.score > least
        return Found(self.boxes[passed], self.score[passed], self.points[passed])

    @staticmethod
    def join(parts: Sequence[Found]) -> Found:
        """Return all windows of several."""
        return Found(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.points for part in parts]),
        )


NOTHING = Found(
    np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32)
)


class Mtcnn:
    """MTCNN; its networks are small and many, so they run on the CPU. Threads may share it."""

    def __init__(
        self, *, min_face_px: int = 36, threads: int = 0, settings: Settings = FAST
    ) -> None:
        if min_face_px < WINDOW_PX:
            raise InputError(
                f"MTCNN cannot look for faces of {min_face_px} px",
                hint=f"the smallest it can see is {WINDOW_PX} px wide",
            )
        self.min_face_px = min_face_px
        self.settings = settings
        networks: Iterator[Runner] = (
            OnnxRuntimeRunner(FOLDER / f"{name}.onnx", threads=threads) for name in NETS
        )
        self._glimpse, fine, coarse, self._rnet, self._onet = networks
        self._pnets: dict[int, Runner] = {COARSE_STRIDE_PX: coarse, STRIDE_PX: fine}

    def detect(self, image: Pixels) -> list[Face]:
        """Return the faces of ``image`` (uint8 ``[h, w, 3]``, BGR), best score first.

        Raises InputError if ``image`` is anything else.
        """
        view = self.open(image)
        found = self.judge(view, self.refine(view, self.propose(view)))
        return self.merge(found.over(self.settings.thresholds[2]))

    def open(self, image: Pixels) -> View:
        """Make an image ready to be looked at.

        Raises InputError if ``image`` is not uint8 ``[h, w, 3]``.
        """
        image = checked(image)
        return View(self.settings.sampler(image), np.asarray(image.shape[1::-1]))

    def propose(
        self, view: View, start: float = 0.0, end: float = 1.0, *, where: Places | None = None
    ) -> Floats:
        """P-net over the pyramid: square boxes [n, 4] that touch the image.

        Args:
            view: the image.
            start: bounds, with ``end``, the rows of windows that are looked at on each level, as
                shares of all of them.
            end: see ``start``.
            where: only windows are looked at that see one of these places.
        """
        least, together_px = self.settings.thresholds[0], self.settings.together_px
        looked_at = self._parts(view, self.settings.coarse_levels, start, end, where)
        found = [
            slide(
                net,
                view.sampler,
                [part for part in looked_at if part.level.stride == stride],
                least,
                together_px,
            )
            for stride, net in self._pnets.items()
        ]
        return _proposed(view, np.concatenate(found))

    def glimpse(
        self,
        view: View,
        start: float = 0.0,
        end: float = 1.0,
        *,
        where: Places | None = None,
        least: float = GLIMPSED_SCORE,
    ) -> Spots:
        """Smaller network over the pyramid: the windows where the P-net should look.

        Args:
            view: the image.
            start: see :meth:`propose`.
            end: see :meth:`propose`.
            where: see :meth:`propose`.
            least: the score from which on a window passes.
        """
        looked_at = self._parts(view, ALL_LEVELS, start, end, where)
        together_px = self.settings.together_px
        return glimpse(self._glimpse, view.sampler, looked_at, least, together_px)

    def closer(self, view: View, spots: Spots, least: float = CLEAR_SCORE) -> Floats:
        """P-net at windows, and a step around each: of each its best one, where that passes.

        Args:
            view: the image.
            spots: the windows.
            least: the score from which on a box passes.

        Returns:
            As :meth:`propose`.
        """
        if not len(spots):
            return spots.boxes
        planes = spots.pixels.transpose(0, 3, 1, 2)
        some = (planes[i : i + PNET_CHUNK] for i in range(0, len(planes), PNET_CHUNK))
        seen = _run(
            self._pnets[STRIDE_PX], (np.ascontiguousarray(part, np.float32) for part in some)
        )
        score = seen["score"].reshape(len(spots), -1)
        best = score.argmax(axis=1)
        row, column = np.divmod(best, seen["score"].shape[2])
        left, top, scale = spots.corners.T
        each = np.arange(len(spots))
        boxes = np.empty((len(spots), 9), np.float32)
        boxes[:, :4] = boxes_at(left + STRIDE_PX * column, top + STRIDE_PX * row, scale)
        boxes[:, 4] = score[each, best]
        boxes[:, 5:] = seen["box"].reshape(len(spots), 4, -1)[each, :, best]
        return _proposed(view, boxes[boxes[:, 4] >= least])

    def _parts(
        self, view: View, coarse: int, start: float, end: float, where: Places | None
    ) -> list[Part]:
        """Return what is to be looked at; see :meth:`propose`, for ``coarse`` :func:`levels`."""
        if where is not None and np.count_nonzero(where) > MOST * where.size:
            where = None
        width, height = view.size.tolist()
        return [
            part
            for level in levels(width, height, self.min_face_px, self.settings.factor, coarse)
            for part in parts(level, start, end, where)
        ]

    def refine(self, view: View, boxes: Floats) -> Floats:
        """R-net: the boxes that may be faces, moved and squared [m, 4]."""
        if not len(boxes):
            return boxes
        given = _run(self._rnet, _crops(view, _regions(boxes), RNET_PX, RNET_CHUNK))
        score, offsets = given["score"], given["box"]
        passed = np.flatnonzero(score > self.settings.thresholds[1])
        passed = passed[suppress(boxes[passed], score[passed], RNET_OVERLAP)]
        return _touching(square(_move(boxes[passed], offsets[passed], 1)), view.size)

    def judge(self, view: View, boxes: Floats) -> Found:
        """O-net: what each of ``boxes`` [n, 4] shows."""
        if not len(boxes):
            return NOTHING
        regions = _regions(boxes)
        given = _run(self._onet, _crops(view, regions, ONET_PX, ONET_CHUNK))
        score, offsets, points = given["score"], given["box"], given["landmarks"]
        low, high = regions[:, None, :2], regions[:, None, 2:]
        return Found(_move(boxes, offsets, 1), score, low + points * (high - low))

    def merge(self, found: Found) -> list[Face]:
        """One face from all that was found of it, best score first."""
        score, boxes, points = found.score, found.boxes, found.points
        kept = suppress_nested(boxes + np.asarray([0, 0, 1, 1], np.float32), score, ONET_OVERLAP)
        if self.settings.average:
            weight = score * (iou(boxes[kept], boxes) > SAME_FACE_IOU)
            weight /= weight.sum(axis=1, keepdims=True)
            boxes_kept = weight @ boxes
            points_kept = (weight @ points.reshape(-1, 10)).reshape(-1, 5, 2)
        else:
            boxes_kept, points_kept = boxes[kept], points[kept]
        return [
            Face(box, score, landmarks)
            for box, score, landmarks in zip(
                boxes_kept, score[kept].tolist(), points_kept, strict=True
            )
        ]


def _proposed(view: View, found: Floats) -> Floats:
    """Return the square boxes of what passed the P-net, see :func:`slide`, without its doubles."""
    found = found[suppress(found[:, :4], found[:, 4], PNET_OVERLAP)]
    return _touching(square(_move(found[:, :4], found[:, 5:], 0)), view.size)


def _run(runner: Runner, pictures: Iterable[Floats]) -> Arrays:
    """Run a network on all pictures, of which some come at a time: a cache holds their maps."""
    given = [runner.run({"image": some}) for some in pictures]
    if len(given) == 1:
        return given[0]
    return {name: np.concatenate([part[name] for part in given]) for name in given[0]}


def _crops(view: View, regions: Floats, side: int, most: int) -> Iterator[Floats]:
    for start in range(0, len(regions), most):
        yield view.sampler.crops(regions[start : start + most], side)


def _move(boxes: Floats, offsets: Floats, extra: float) -> Floats:
    """Move each side by its offset, which is in units of the box (``extra`` pixels larger)."""
    size = boxes[:, 2:] - boxes[:, :2] + extra
    moved: Floats = boxes + offsets * np.concatenate([size, size], axis=1)
    return moved


def _regions(boxes: Floats) -> Floats:
    """From boxes that count from 1 and include both ends to regions."""
    return boxes - np.asarray([1, 1, 0, 0], np.float32)


def _touching(boxes: Floats, size: NDArray[np.int64]) -> Floats:
    """Keep the boxes that have a pixel inside the image."""
    inside = (boxes[:, 2:] >= 1) & (np.trunc(boxes[:, :2]) <= size)
    return boxes[inside.all(axis=1)]
