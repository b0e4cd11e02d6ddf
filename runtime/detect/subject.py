"""Which of the faces in a picture the picture is of: for data sets of pictures, not for video."""

from __future__ import annotations

from collections.abc import Sequence

from sealshot.runtime.types import Face


def main_face(found: Sequence[Face], width: int, height: int) -> Face | None:
    """Return the face that a picture is of: large, and near the centre; None where there is none.

    The area of its box less twice the squared distance of its centre from the picture's, as
    portraits and data sets of portraits (LFW) put the person in the middle. Training, calibration
    and evaluation all take this one.

    Args:
        found: faces of the picture.
        width: of the picture, pixels.
        height: likewise.
    """

    def prominence(face: Face) -> float:
        x0, y0, x1, y1 = (float(v) for v in face.box)
        off = ((x0 + x1 - width) / 2) ** 2 + ((y0 + y1 - height) / 2) ** 2
        return (x1 - x0) * (y1 - y0) - 2 * off

    return max(found, key=prominence, default=None)
