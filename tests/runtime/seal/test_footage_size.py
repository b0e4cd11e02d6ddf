"""The size of a clip's frames is read without decoding one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sealshot.runtime.seal.footage import _size

EXIF = b"\xff\xe1\0\x08" + b"Exif\0\0"


@pytest.mark.parametrize("size", [(1, 1), (16, 9), (1921, 1083), (65000, 3)])
@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("before", [b"", EXIF, 3 * EXIF])
def test_it_is_that_of_the_picture(size, progressive, before) -> None:
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
    _, coded = cv2.imencode(".jpg", np.full((size[1], size[0], 3), 90, np.uint8), options)
    jpeg = coded.tobytes()
    assert _size(jpeg[:2] + before + jpeg[2:]) == size


def test_what_is_cut_off_or_no_jpeg_has_none() -> None:
    jpeg = cv2.imencode(".jpg", np.full((9, 16, 3), 90, np.uint8))[1].tobytes()
    said = [_size(jpeg[:end]) for end in range(len(jpeg))]
    assert set(said) == {None, (16, 9)}
    first = said.index((16, 9))
    assert None not in said[first:]
    zeros = jpeg.replace(b"\0\x09\0\x10\x03", bytes(4) + b"\x03")
    assert zeros != jpeg
    for other in (b"", b"\x89PNG\r\n\x1a\n", bytes(99), jpeg[2:], b"\xff\xd8" * 50, zeros):
        assert _size(other) is None


def test_segments_that_lead_nowhere_end() -> None:
    """One of length 0 says where it is itself, and would be read for ever."""
    assert _size(b"\xff\xd8" + b"\xff\xe1\0\0" * 30) is None
    assert _size(b"\xff\xd8" + b"\xff\xff" * 30) is None
