"""Writing a video: what a container cannot say of times."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from sealshot.runtime.errors import InputError
from sealshot.runtime.public.picture import Form
from sealshot.runtime.public.writer import VideoWriter
from sealshot.runtime.sandbox.shape import LIMITED_RANGE, UNSPECIFIED

SIZE = 64, 48
STEP_S = Fraction(1, 25)


def write(path: Path, tick_s: Fraction, gap_s: int) -> list[Fraction]:
    """Write pictures with a gap behind the third, and return their times."""
    form = Form(
        *SIZE, "yuv420p", Fraction(1), tick_s, Fraction(25), LIMITED_RANGE, *[UNSPECIFIED] * 3
    )
    planes = [np.full((SIZE[1] // by, SIZE[0] // by), 90, np.uint8) for by in (1, 2, 2)]
    times_s = [index * STEP_S + (gap_s if index > 2 else 0) for index in range(5)]
    with VideoWriter(path, form, "h264") as writer:
        for time_s in times_s:
            writer.write(planes, round(time_s / tick_s))
        writer.keep()
    return times_s


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(("ticks_a_second", "gap_s"), [(10**9, 5), (10**6, 3000), (90_000, 20_000)])
def test_a_gap_of_many_ticks_stays(
    facts: Callable[[Path], object],
    tmp_path: Path,
    suffix: str,
    ticks_a_second: int,
    gap_s: int,
) -> None:
    path = tmp_path / f"out{suffix}"
    times_s = write(path, Fraction(1, ticks_a_second), gap_s)
    assert facts(path).times_s == tuple(map(float, times_s))


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_gap_that_a_container_cannot_have_is_told_and_leaves_nothing(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    with pytest.raises(InputError, match="cannot have 30000 s between two pictures") as told:
        write(path, Fraction(1, 90_000), 30_000)
    assert ".mkv" in told.value.hint
    assert not list(tmp_path.iterdir())
