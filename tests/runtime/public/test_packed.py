"""Pictures are packed without loss: what is seen takes less, what is noise no more."""

from __future__ import annotations

import numpy as np
import pytest

from sealshot.runtime.public.packed import Packer, lower_bytes

SHAPES = [(1, 1), (2, 8), (7, 9), (333, 1001), (540, 959), (1080, 1920), (3, 140_000)]


def there_and_back(plane: np.ndarray) -> tuple[np.ndarray, int]:
    """Return a plane packed and unpacked, and how many bytes it took."""
    lower = np.empty(lower_bytes(plane.shape, plane.dtype), np.uint8)
    upper = Packer().pack(plane, lower)
    into = np.full_like(plane, 77)
    Packer().unpack(lower, upper, into)
    places = [0 if one.places is None else one.places.nbytes for one in upper]
    return into, lower.nbytes + sum(places) + sum(one.bits.nbytes for one in upper)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("most", [1, 8, 40, 1023])
@pytest.mark.parametrize("shape", SHAPES)
def test_any_plane_comes_back_bit_for_bit(shape: tuple[int, int], most: int, dtype: type) -> None:
    most = min(most, np.iinfo(dtype).max)
    plane = np.random.default_rng(most).integers(0, most + 1, shape).astype(dtype)
    assert np.array_equal(there_and_back(plane)[0], plane)


@pytest.mark.parametrize("step", [0, 1, 7, 8, -8, -9, 127, 128, 255])
def test_any_step_from_row_to_row_comes_back(step: int) -> None:
    plane = np.outer(np.arange(64) * step, np.ones(24)).astype(np.int64).astype(np.uint8)
    assert np.array_equal(there_and_back(plane)[0], plane)


def test_rows_may_lie_apart() -> None:
    memory = np.random.default_rng(0).integers(0, 256, (90, 256)).astype(np.uint8)
    assert np.array_equal(there_and_back(memory[:, :201])[0], memory[:, :201])


def test_what_is_smooth_takes_half_and_what_is_noise_takes_what_it_took() -> None:
    rows, columns = np.mgrid[:720, :1280]
    smooth = (60 * (2 + np.sin(rows / 90) + np.cos(columns / 70))).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, smooth.shape).astype(np.uint8)
    assert there_and_back(smooth)[1] < 0.53 * smooth.nbytes
    assert there_and_back(noise)[1] < 1.01 * noise.nbytes
