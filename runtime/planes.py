"""A picture as the planes that were decoded: BGR is made of what is looked at, and of no more.

8-bit 4:2:0 is what nearly all cameras and recordings are. It has half the bytes of BGR, and at half
of its size a value of each colour for each pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from sealshot.runtime.sandbox.shape import FULL_RANGE, GIVEN, MATRICES, matrix_of

if TYPE_CHECKING:
    from av.video.plane import VideoPlane

Plane: TypeAlias = NDArray[np.uint8]
Image: TypeAlias = NDArray[np.uint8]

STRIP_PX = 1 << 17
"""Pixels that are converted at once: more leave the processor's cache."""
TWICE = np.uint16(0x0101)
"""Times a byte it is that byte twice."""

OF_GREY = np.array([[0.114, 0.587, 0.299]], np.float32)
"""What blue, green and red count in it, as ``cv2.COLOR_BGR2GRAY`` has it."""


class Colours(NamedTuple):
    """How colours are meant, by the numbers of ITU-T H.273."""

    color_range: int
    """0 not said, 1 limited, 2 full."""
    colorspace: int
    """Matrix coefficients."""
    color_primaries: int
    color_trc: int
    """Transfer characteristics."""


@dataclass(frozen=True, eq=False)
class Planes:
    """A picture of 4:2:0. To take a part of it by its rows and columns gives BGR, as of an array.

    Between the colours of two pixels nothing is made up: four neighbours share theirs, as FFmpeg's
    quick conversion has it.
    """

    luma: Plane
    """``uint8 [h, w]``, both even."""
    blue: Plane
    """``uint8 [h / 2, w / 2]``: how far blue is from luma, around 128."""
    red: Plane
    """Likewise."""
    colours: Colours

    @classmethod
    def copied(cls, planes: Sequence[Plane], colours: Colours) -> Planes:
        """Copy three planes, which may be parts of larger arrays, into one piece of memory."""
        memory, at, own = np.empty(sum(plane.size for plane in planes), np.uint8), 0, list[Plane]()
        for plane in planes:
            own.append(memory[at : at + plane.size].reshape(plane.shape))
            own[-1][:] = plane
            at += plane.size
        luma, blue, red = own
        return cls(luma, blue, red, colours)

    @classmethod
    def of(cls, form: str, planes: Sequence[Plane], color_range: int, *other: int) -> Planes:
        """Copy the planes of a picture as FFmpeg decoded it.

        Args:
            form: one of :data:`GIVEN`.
            planes: luma, blue, red.
            color_range: what the picture says, where its form does not.
            other: of :class:`Colours`.
        """
        return cls.copied(planes, Colours(FULL_RANGE if form == GIVEN[1] else color_range, *other))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the picture in BGR: height, width and 3."""
        return *self.luma.shape, 3

    def __getitem__(self, part: tuple[slice, slice]) -> Image:
        """Return rows and columns as BGR."""
        (top, bottom, down), (left, right, along) = (
            taken.indices(size) for taken, size in zip(part, self.luma.shape, strict=True)
        )
        if down == along == 1:
            return self._region(top, max(top, bottom), left, max(left, right))
        rows, columns = np.arange(top, bottom, down), np.arange(left, right, along)
        chroma = np.ix_(rows // 2, columns // 2)
        return self.converted(_merged(self.luma[part], self.blue[chroma], self.red[chroma]))

    def _region(self, top: int, bottom: int, left: int, right: int) -> Image:
        taken = np.empty((bottom - top, right - left, 3), np.uint8)
        if not taken.size:
            return taken
        columns, matrix = slice(left // 2, (right + 1) // 2), self._matrix
        for part in strips(*taken.shape[:2]):
            first, last = top + part.start, top + part.stop
            rows = slice(first // 2, (last + 1) // 2)
            inside = slice(first % 2, last - 2 * rows.start), slice(left % 2, right - left // 2 * 2)
            chroma = [
                (plane[rows, columns] * TWICE).view(np.uint8).repeat(2, axis=0)[inside]
                for plane in (self.blue, self.red)
            ]
            strip = _merged(self.luma[first:last, left:right], *chroma)
            cv2.transform(strip, matrix, dst=taken[part])
        return taken

    @cached_property
    def bgr(self) -> Image:
        """All of it, ``uint8 [h, w, 3]``; made once."""
        return self[:, :]

    @cached_property
    def half(self) -> Image:
        """Luma, blue and red of all of it at half its size, ``uint8 [h / 2, w / 2, 3]``."""
        # exact halves have a fast path in OpenCV
        luma = cv2.resize(self.luma, self.blue.shape[::-1], interpolation=cv2.INTER_AREA)
        return _merged(luma, self.blue, self.red)

    def converted(self, yuv: Image) -> Image:
        """Return luma, blue and red, ``uint8 [..., w, 3]``, as BGR."""
        if not yuv.size:
            return yuv
        flat = yuv.reshape(-1, *yuv.shape[-2:])
        return np.asarray(cv2.transform(flat, self._matrix), np.uint8).reshape(yuv.shape)

    def grey(self, yuv: MatLike) -> Plane:
        """Return luma, blue and red, ``uint8 [h, w, 3]``, as the grey that OpenCV makes of BGR."""
        return np.asarray(cv2.transform(yuv, self._to_grey), np.uint8)

    def blackened(self, where: NDArray[np.bool_]) -> Planes:
        """Return the picture with some pixels black, bool ``[h, w]``.

        A neighbour that shares the colour of one of them loses it: it may tell of what is hidden.
        """
        planes = Planes.copied((self.luma, self.blue, self.red), self.colours)
        height, width = self.blue.shape
        shared = where.reshape(height, 2, width, 2).any(axis=(1, 3))
        planes.luma[where], planes.blue[shared], planes.red[shared] = self.shade(0)
        return planes

    def shade(self, grey: int) -> tuple[int, int, int]:
        """Return luma, blue and red of a grey of BGR."""
        low, high = _luma(self._is_full)
        return round(low + grey * (high - low) / 255), 128, 128

    @cached_property
    def _matrix(self) -> NDArray[np.float32]:
        height, width, _ = self.shape
        return to_bgr(matrix_of(self.colours.colorspace, width, height), self._is_full)

    @cached_property
    def _to_grey(self) -> NDArray[np.float32]:
        to_grey: NDArray[np.float32] = OF_GREY @ self._matrix
        return to_grey

    @property
    def _is_full(self) -> bool:
        return self.colours.color_range == FULL_RANGE


def strips(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of a picture in strips that are converted at once, even numbers of them."""
    step = max(2, STRIP_PX // width // 2 * 2)
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def rows_of(plane: VideoPlane, dtype: type[np.generic]) -> NDArray[Any]:
    """Return the pixels of a plane of FFmpeg, ``[h, w]``: its own memory."""
    return np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)[:, : plane.width]


def bgr_of(pixels: Image | Planes) -> Image:
    """Return all of a picture as BGR, ``uint8 [h, w, 3]``."""
    return pixels.bgr if isinstance(pixels, Planes) else pixels


def warp(
    pixels: Image | Planes,
    matrices: NDArray[np.float64],
    into: Image,
    outside: tuple[int, ...] | None = None,
) -> None:
    """Sample parts of a picture between its pixels; of planes that gives luma, blue and red.

    Args:
        pixels: ``uint8 [h, w, ...]``, or planes.
        matrices: ``[n, 2, 3]``, from a pixel of a part to one of the picture; whole numbers are the
            middles of pixels.
        into: ``[n, rows, columns, ...]``, is filled.
        outside: what is beyond the edge; None: the edge goes on.
    """
    if isinstance(pixels, Planes):
        halves = matrices / 2
        halves[:, :, 2] -= 0.25
        warp(pixels.half, halves, into, outside)
        luma = np.empty(into.shape[:3], np.uint8)
        warp(pixels.luma, matrices, luma, outside and outside[:1])
        into[..., 0] = luma
        return
    size, how = into.shape[2:0:-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    edge = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    for part, matrix in zip(into, matrices, strict=True):
        cv2.warpAffine(pixels, matrix, size, part, how, edge, outside or ())


@cache
def to_bgr(matrix: int, full: bool) -> NDArray[np.float32]:
    """Return what makes BGR of luma, blue and red and a 1, float32 ``[3, 4]``.

    ITU-T H.273, 8.3, solved for red, green and blue.

    Args:
        matrix: one of :data:`MATRICES`.
        full: whether they use all of a byte.
    """
    red, blue = MATRICES[matrix]
    green = 1 - red - blue
    low, high = _luma(full)
    of_luma = 255 / (high - low)
    of_chroma = 2 * 255 / (255 if full else 224)
    to_blue, to_red = (1 - blue) * of_chroma, (1 - red) * of_chroma
    made = np.array(
        [
            [of_luma, to_blue, 0, 0],
            [of_luma, -to_blue * blue / green, -to_red * red / green, 0],
            [of_luma, 0, to_red, 0],
        ]
    )
    made[:, 3] = made[:, :3] @ (-low, -128, -128)
    return made.astype(np.float32)


def _luma(full: bool) -> tuple[int, int]:
    """Return the luma of black and of white."""
    return (0, 255) if full else (16, 235)


def _merged(*planes: MatLike) -> Image:
    return np.asarray(cv2.merge(planes), np.uint8)
