"""Packed pictures: nothing is lost, and what is not whole is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sealshot.kernels.rtl.packing import pack, unpack


@given(arrays(np.uint8, (64, 64), elements=st.integers(0, 255), fill=st.integers(0, 255)))
@settings(max_examples=20)
def test_what_is_packed_comes_back(crop: np.ndarray) -> None:
    assert np.array_equal(unpack(pack(crop)), crop)


def test_hard_pictures_come_back_and_take_no_more_than_said(hard_crops: np.ndarray) -> None:
    for crop in hard_crops[:, 0]:
        packed = pack(crop)
        assert len(packed) <= 4632
        assert np.array_equal(unpack(packed), crop)
    assert len(pack(hard_crops[0, 0])) == 64 * (3 + 64) // 8


def test_a_picture_that_ends_early_is_told(hard_crops: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not whole"):
        unpack(pack(hard_crops[2, 0])[:-1])
