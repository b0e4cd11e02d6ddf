"""From a decoded frame to the picture that a player shows: colours, square pixels, upright."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypeVar, cast

import av
import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from sealshot.runtime.types import Image

Pixels = TypeVar("Pixels", bound=NDArray[Any])

UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
BT709, BT601 = 1, 5  # as PyAV and swscale number them
HD_WIDTH, SD_HEIGHT = 1280, 576
MOST_OBLONG = 4
"""A pixel more oblong than this is a mistake of whoever wrote the file."""


class Converter:
    """Makes BGR pictures of the frames of one stream."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def picture(self, frame: av.VideoFrame, pixel_aspect: Fraction) -> Image:
        """Return ``uint8 [h, w, 3]`` BGR, upright, with square pixels.

        Matrix and range are those of the stream. Where it names no matrix, it is BT.709 from 1280
        pixels of width or 577 of height on and BT.601 below, as players do; where it names no
        range, the limited one.

        Args:
            frame: as it was decoded.
            pixel_aspect: width over height of its pixels.
        """
        width, height = squared(frame.width, frame.height, pixel_aspect)
        matrix = None
        if frame.colorspace == UNSPECIFIED and not frame.format.is_rgb:
            large = frame.width >= HD_WIDTH or frame.height > SD_HEIGHT
            matrix = BT709 if large else BT601
        shown = self._reformatter.reformat(
            frame, width, height, "bgr24", src_colorspace=matrix, dst_colorspace=matrix
        )
        return turned(np.asarray(shown.to_ndarray(), np.uint8), frame)


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


def turned(image: Pixels, frame: av.VideoFrame) -> Pixels:
    """Turn and mirror a picture, or a plane of one, as the display matrix of its frame asks."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return image
    assert isinstance(data, SideData)
    (a, b, _), (c, d, _), _ = np.frombuffer(bytes(data), np.int32).reshape(3, 3)
    if abs(int(b)) > abs(int(a)):  # x and y change places
        image, right, down = cast(Pixels, cv2.transpose(image)), c, b
    else:
        right, down = a, d
    if right < 0 or down < 0:
        code = -1 if right < 0 and down < 0 else 1 if right < 0 else 0
        image = cast(Pixels, cv2.flip(image, code))
    return image
