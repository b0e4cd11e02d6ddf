"""From a decoded frame to the picture that a player shows: square pixels, and colours."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
from av.sidedata.sidedata import SideData
from av.video.reformatter import VideoReformatter

from sealshot.runtime.sandbox.shape import (
    GIVEN,
    MATRICES,
    RGB,
    UNSPECIFIED,
    Turn,
    matrix_of,
    squared,
)


class Shower:
    """Makes BGR frames of the frames of one stream."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._turn_key: tuple[int, int, int] | None = None
        self._turn = Turn()
        self.strange_matrix: int | None = None
        """The first matrix of H.273 that was named and cannot be converted: colours are wrong."""

    def show(self, frame: av.VideoFrame, pixel_aspect: Fraction, turn: Turn) -> av.VideoFrame:
        """Return a frame as BGR with square pixels; it is not turned yet.

        Where its planes can be taken for that as they are, it is the frame itself.

        Matrix and range are those of the stream. Where it names no matrix, or one that FFmpeg
        cannot convert (YCgCo, ICtCp), see :func:`matrix_of`; where it names no range, it is the
        limited one.

        Args:
            frame: as it was decoded.
            pixel_aspect: width over height of its pixels.
            turn: what makes it upright.

        Raises:
            FFmpegError: FFmpeg cannot convert it.
        """
        width, height = squared(frame.width, frame.height, pixel_aspect)
        matrix = None
        if frame.colorspace not in MATRICES and not frame.format.is_rgb:
            matrix = matrix_of(frame.colorspace, frame.width, frame.height)
            if frame.colorspace not in (RGB, UNSPECIFIED) and self.strange_matrix is None:
                self.strange_matrix = frame.colorspace
        if (width, height, turn) == (frame.width, frame.height, Turn()) and _is_plain(frame):
            return frame
        return self.bgr(frame, width, height, matrix)

    def bgr(
        self, frame: av.VideoFrame, width: int, height: int, matrix: int | None
    ) -> av.VideoFrame:
        """Return a frame as BGR of a size, by the matrix of colours that is named, or by its own.

        Raises:
            FFmpegError: FFmpeg cannot convert it.
        """
        return self._reformatter.reformat(
            frame, width, height, "bgr24", src_colorspace=matrix, dst_colorspace=matrix, threads=1
        )  # more threads wait for each other longer than they work

    def turn(self, frame: av.VideoFrame) -> Turn:
        """Return what the display matrix of a frame asks for, as :func:`turn_of` does."""
        # to ask a frame for its side data makes a circle of it that keeps its memory for long
        key = frame.width, frame.height, frame.rotation
        if key != self._turn_key:
            self._turn_key, self._turn = key, turn_of(frame)
        return self._turn


def _is_plain(frame: av.VideoFrame) -> bool:
    """Whether planes are of the one form that is given on as it is, and whole."""
    even = frame.width % 2 == frame.height % 2 == 0
    return (
        even and frame.format.name in GIVEN and all(plane.line_size > 0 for plane in frame.planes)
    )


def turn_of(frame: av.VideoFrame) -> Turn:
    """Return what the display matrix of a frame asks for."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return Turn()
    assert isinstance(data, SideData)
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data))
    if abs(b) > abs(a):
        return Turn(True, c < 0, b < 0)
    return Turn(False, a < 0, d < 0)
