"""MTCNN: three small networks, each of which looks closer at what the one before it let pass.

Zhang, Zhang, Li, Qiao 2016, doi 10.1109/LSP.2016.2603342. The P-net slides over an image pyramid
and proposes boxes, the R-net refines and rejects, the O-net gives final boxes and landmarks. The
weights are those of facenet-pytorch (`sealshot.export.mtcnn`), so the arithmetic is its arithmetic
too: boxes count pixels from 1 and include both ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.detect.boxes import iou, square, suppress, suppress_nested
from sealshot.runtime.detect.changes import MOST, Places, rectangles, windows
from sealshot.runtime.detect.image import checked
from sealshot.runtime.detect.sampling import ALL, MeanSampler, MipSampler, Sampler
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.engines.runner import Arrays, Runner
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Floats, Image
from sealshot.runtime.weights import FOLDER

WINDOW_PX, RNET_PX, ONET_PX = 12, 24, 48  # what the networks look at
PNET_CHUNK_PX, RNET_CHUNK, ONET_CHUNK = 80_000, 32, 16  # larger ones leave the processor's cache
STRIDE_PX, COARSE_STRIDE_PX = 2, 4
LEAST_GAP_PX = 2 * WINDOW_PX  # between parts of a level: nearer ones cost less as one
LEVEL_OVERLAP, PYRAMID_OVERLAP, RNET_OVERLAP, ONET_OVERLAP = 0.5, 0.7, 0.7, 0.7
SAME_FACE_IOU = 0.5


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
    sampler: Callable[[Image], Sampler] = MeanSampler
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
    sampler=MipSampler,
    glances=True,
)
"""A third of the time; `benchmarks/accuracy/detection.py` measures what it costs in recall."""


@dataclass(frozen=True)
class _Level:
    """An image at one size, and the windows that the P-net looks at there."""

    scale: float
    """Its size over that of the image."""
    width: int
    height: int
    stride: int
    """Pixels from a window to the next."""

    @property
    def rows(self) -> int:
        """Of windows."""
        return (self.height - WINDOW_PX) // self.stride + 1

    @property
    def columns(self) -> int:
        """Of windows."""
        return (self.width - WINDOW_PX) // self.stride + 1


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
            OnnxRuntimeRunner(FOLDER / f"mtcnn_{name}.onnx", threads=threads)
            for name in ("pnet", "pnet_stride4", "rnet", "onet")
        )
        self._pnet, self._coarse_pnet, self._rnet, self._onet = networks

    def detect(self, image: Image) -> list[Face]:
        """Return the faces of ``image`` (uint8 ``[h, w, 3]``, BGR), best score first.

        Raises InputError if ``image`` is anything else.
        """
        view = self.open(image)
        found = self.judge(view, self.refine(view, self.propose(view)))
        return self.merge(found.over(self.settings.thresholds[2]))

    def open(self, image: Image) -> View:
        """Make an image ready to be looked at.

        Raises InputError if ``image`` is not uint8 ``[h, w, 3]``.
        """
        image = checked(image)
        return View(self.settings.sampler(image), np.asarray(image.shape[1::-1]))

    def propose(
        self,
        view: View,
        start: float = 0.0,
        end: float = 1.0,
        *,
        where: Places | None = None,
        settings: Settings | None = None,
    ) -> Floats:
        """P-net over the pyramid: square boxes [n, 4] that touch the image.

        Args:
            view: the image.
            start: bounds, with ``end``, the rows of windows that are looked at on each level, as
                shares of all of them.
            end: see ``start``.
            where: only windows are looked at that see one of these places.
            settings: where they are not the detector's own.
        """
        settings = settings or self.settings
        if where is not None and where.mean() > MOST:
            where = None
        found = [np.empty((0, 9), np.float32)]  # box, score, offsets
        for level in self._levels(view.size, settings):
            rows = slice(int(start * level.rows), int(end * level.rows))
            if rows.start == rows.stop:
                continue
            parts: Iterable[tuple[slice, slice]] = [(rows, slice(0, level.columns))]
            if where is not None:
                reach = WINDOW_PX / level.height, WINDOW_PX / level.width
                wanted = windows(where, rows, (level.rows, level.columns), reach)
                parts = rectangles(wanted, rows.start, LEAST_GAP_PX // level.stride)
            boxes = [self._slide(view, level, *part, settings.thresholds[0]) for part in parts]
            if boxes:
                of_level = np.concatenate(boxes)
                found.append(of_level[suppress(of_level[:, :4], of_level[:, 4], LEVEL_OVERLAP)])
        boxes_ = np.concatenate(found)
        boxes_ = boxes_[suppress(boxes_[:, :4], boxes_[:, 4], PYRAMID_OVERLAP)]
        return _touching(square(_move(boxes_[:, :4], boxes_[:, 5:], 0)), view.size)

    def _levels(self, size: NDArray[np.int64], settings: Settings) -> Iterator[_Level]:
        scale, index = WINDOW_PX / self.min_face_px, 0
        while size.min() * scale >= WINDOW_PX:
            width, height = (size * scale + 1).astype(int).tolist()
            coarse = index < settings.coarse_levels
            yield _Level(scale, width, height, COARSE_STRIDE_PX if coarse else STRIDE_PX)
            scale, index = scale * settings.factor, index + 1

    def _slide(
        self, view: View, level: _Level, rows: slice, columns: slice, least: float
    ) -> Floats:
        """P-net over windows of a level: box, score and offsets ``[n, 9]`` of those that pass."""
        seen = view.sampler.level(
            level.width,
            level.height,
            _pixels(rows, level.rows, level.stride),
            _pixels(columns, level.columns, level.stride),
        )
        pnet = self._coarse_pnet if level.stride == COARSE_STRIDE_PX else self._pnet
        found = []
        step = max(1, PNET_CHUNK_PX // seen.shape[1] // level.stride)
        for top in range(rows.start, rows.stop, step):
            start = (top - rows.start) * level.stride
            end = start + (step - 1) * level.stride + WINDOW_PX
            last = top + step >= rows.stop
            given = pnet.run({"image": seen[None, start : None if last else end]})
            score, offsets = given["score"][0], given["box"][0]
            y, x = np.nonzero(score >= least)
            corner = np.stack([x + columns.start, y + top], axis=1) * level.stride
            window = np.concatenate([corner + 1, corner + WINDOW_PX], axis=1).astype(np.float32)
            boxes = np.floor(window / np.float32(level.scale))
            found.append(np.concatenate([boxes, score[y, x][:, None], offsets[:, y, x].T], axis=1))
        return np.concatenate(found)

    def refine(self, view: View, boxes: Floats) -> Floats:
        """R-net: the boxes that may be faces, moved and squared [m, 4]."""
        if not len(boxes):
            return boxes
        given = _run(self._rnet, RNET_CHUNK, view.sampler, _regions(boxes), RNET_PX)
        score, offsets = given["score"], given["box"]
        passed = np.flatnonzero(score > self.settings.thresholds[1])
        passed = passed[suppress(boxes[passed], score[passed], RNET_OVERLAP)]
        return _touching(square(_move(boxes[passed], offsets[passed], 1)), view.size)

    def judge(self, view: View, boxes: Floats) -> Found:
        """O-net: what each of ``boxes`` [n, 4] shows."""
        if not len(boxes):
            return NOTHING
        regions = _regions(boxes)
        given = _run(self._onet, ONET_CHUNK, view.sampler, regions, ONET_PX)
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
            boxes_kept, points_kept = weight @ boxes, np.tensordot(weight, points, 1)
        else:
            boxes_kept, points_kept = boxes[kept], points[kept]
        return [
            Face(box, score, landmarks)
            for box, score, landmarks in zip(
                boxes_kept, score[kept].tolist(), points_kept, strict=True
            )
        ]


def _pixels(windows: slice, count: int, stride: int) -> slice:
    """Return the rows or columns of pixels that some of ``count`` windows see."""
    if (windows.start, windows.stop) == (0, count):
        return ALL  # with a last row that no window reaches, but rounding feels
    return slice(windows.start * stride, (windows.stop - 1) * stride + WINDOW_PX)


def _run(runner: Runner, chunk: int, sampler: Sampler, regions: Floats, side: int) -> Arrays:
    """Run a network on all regions, so many at a time as its maps stay in the processor's cache."""
    given = [
        runner.run({"image": sampler.crops(regions[start : start + chunk], side)})
        for start in range(0, len(regions), chunk)
    ]
    return {name: np.concatenate([part[name] for part in given]) for name in given[0]}


def _move(boxes: Floats, offsets: Floats, extra: float) -> Floats:
    """Move each side by its offset, which is in units of the box (``extra`` pixels larger)."""
    size = boxes[:, 2:] - boxes[:, :2] + extra
    moved: Floats = boxes + offsets * np.tile(size, 2)
    return moved


def _regions(boxes: Floats) -> Floats:
    """From boxes that count from 1 and include both ends to regions."""
    return boxes - np.asarray([1, 1, 0, 0], np.float32)


def _touching(boxes: Floats, size: NDArray[np.int64]) -> Floats:
    """Keep the boxes that have a pixel inside the image."""
    inside = (boxes[:, 2:] >= 1) & (np.trunc(boxes[:, :2]) <= size)
    return boxes[inside.all(axis=1)]
