"""From a decoded frame to the picture that a player shows: colours, square pixels, upright."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar, cast

import av
import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from sealshot.runtime.types import Image

logger = logging.getLogger(__name__)

Pixels = TypeVar("Pixels", bound=NDArray[Any])

BT709, BT601 = 1, 5  # as PyAV and swscale number them
MATRICES = frozenset({BT709, 4, BT601, 6, 7, 9})
"""ITU-T H.273 matrix coefficients that swscale can convert; others end in EOPNOTSUPP."""
RGB, UNSPECIFIED = 0, 2
HD_WIDTH, SD_HEIGHT = 1280, 576
MOST_OBLONG = 4
"""A pixel more oblong than this is a mistake of whoever wrote the file."""


class Converter:
    """Makes BGR pictures of the frames of one stream."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._turn_key: tuple[int, int, int] | None = None
        self._turn = Turn()
        self._told = False

    def picture(self, frame: av.VideoFrame, pixel_aspect: Fraction) -> Image:
        """Return ``uint8 [h, w, 3]`` BGR, upright, with square pixels.

        Matrix and range are those of the stream. Where it names no matrix, or one that FFmpeg
        cannot convert (YCgCo, ICtCp; told), it is BT.709 from 1280 pixels of width or 577 of height
        on and BT.601 below, as players do; where it names no range, the limited one.

        Args:
            frame: as it was decoded.
            pixel_aspect: width over height of its pixels.

        Raises:
            FFmpegError: FFmpeg cannot convert it.
        """
        width, height = squared(frame.width, frame.height, pixel_aspect)
        matrix = None
        if frame.colorspace not in MATRICES and not frame.format.is_rgb:
            large = frame.width >= HD_WIDTH or frame.height > SD_HEIGHT
            matrix = BT709 if large else BT601
            self._tell_of(frame.colorspace)
        shown = self._reformatter.reformat(
            frame, width, height, "bgr24", src_colorspace=matrix, dst_colorspace=matrix, threads=1
        )  # more threads wait for each other longer than they work
        return self.turn(frame)(np.asarray(shown.to_ndarray(), np.uint8))

    def _tell_of(self, matrix: int) -> None:
        if matrix not in (RGB, UNSPECIFIED) and not self._told:
            self._told = True
            logger.warning(
                "FFmpeg cannot convert the colours of this video (matrix %d of H.273): they are"
                " taken for usual ones and come out wrong",
                matrix,
            )

    def turn(self, frame: av.VideoFrame) -> Turn:
        """Return what the display matrix of a frame asks for, as :func:`turn_of` does."""
        # to ask a frame for its side data makes a circle of it that keeps its memory for long
        key = frame.width, frame.height, frame.rotation
        if key != self._turn_key:
            self._turn_key, self._turn = key, turn_of(frame)
        return self._turn


def squared(width: int, height: int, pixel_aspect: Fraction) -> tuple[int, int]:
    """Return the size of a picture whose pixels were made square; no pixel is lost for it.

    >>> squared(960, 1080, Fraction(2)), squared(720, 480, Fraction(8, 9))
    ((1920, 1080), (720, 540))
    """
    if not Fraction(1, MOST_OBLONG) <= pixel_aspect <= MOST_OBLONG:
        return width, height
    if pixel_aspect >= 1:
        return round(width * pixel_aspect), height
    return width, round(height / pixel_aspect)


@dataclass(frozen=True)
class Turn:
    """What a display matrix asks for, to quarters of a turn."""

    transposed: bool = False
    """Whether x and y change places, before the picture is mirrored."""
    right_to_left: bool = False
    upside_down: bool = False

    def __call__(self, image: Pixels) -> Pixels:
        """Turn and mirror a picture, or a plane of one."""
        if self.transposed:
            image = cast(Pixels, cv2.transpose(image))
        if self.right_to_left or self.upside_down:
            code = -1 if self.right_to_left and self.upside_down else int(self.right_to_left)
            image = cast(Pixels, cv2.flip(image, code))
        return image


def turn_of(frame: av.VideoFrame) -> Turn:
    """Return what the display matrix of a frame asks for."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return Turn()
    assert isinstance(data, SideData)
    (a, b, _), (c, d, _), _ = np.frombuffer(bytes(data), np.int32).reshape(3, 3)
    if abs(int(b)) > abs(int(a)):
        return Turn(True, bool(c < 0), bool(b < 0))
    return Turn(False, bool(a < 0), bool(d < 0))
