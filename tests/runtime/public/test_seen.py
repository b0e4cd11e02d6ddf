"""What the search sees of planes is what FFmpeg makes of the whole picture."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from sealshot.runtime.planes import Colours, Planes
from sealshot.runtime.public.decoded import Decoded, as_raw
from sealshot.runtime.sandbox.shape import BT709, FULL_RANGE, LIMITED_RANGE


@pytest.mark.parametrize("size", [(1920, 270), (854, 480), (638, 358), (50, 1026), (2, 2)])
@pytest.mark.parametrize("color_range", [LIMITED_RANGE, FULL_RANGE])
def test_strips_are_what_the_whole_picture_would_be(
    size: tuple[int, int], color_range: int
) -> None:
    (width, height), rng = size, np.random.default_rng(1)
    sizes = (height, width), *[(height // 2, width // 2)] * 2
    made = [rng.integers(0, 256, size, dtype=np.uint8) for size in sizes]
    planes = Planes(*made, Colours(color_range, BT709, BT709, BT709))
    seen = Decoded(planes, planes.colours, Fraction(1), Fraction(1, 25), None).image(planes)
    whole = VideoReformatter().reformat(
        as_raw(planes).frame, width, height, "bgr24", src_colorspace=BT709, dst_colorspace=BT709
    )
    assert np.array_equal(seen, whole.to_ndarray())


def test_a_picture_that_is_held_is_not_written_over() -> None:
    def planes(level: int) -> Planes:
        made = [np.full(size, level, np.uint8) for size in ((8, 16), (4, 8), (4, 8))]
        return Planes(*made, Colours(LIMITED_RANGE, BT709, BT709, BT709))

    decoded = Decoded(planes(90), planes(90).colours, Fraction(1), Fraction(1, 25), None)
    first = decoded.image(planes(90))
    before = first.copy()
    second = decoded.image(planes(200))
    assert np.array_equal(first, before)
    assert not np.array_equal(first, second)
