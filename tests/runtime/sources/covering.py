"""Reading a file as what covers it does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sealshot.runtime.public.recording import Recording, Shown
from sealshot.runtime.types import Frame


def recorded(path: Path, *, sandbox: bool = True) -> list[Shown]:
    """Read a file as `sealshot deidentify` does."""
    with Recording(path, sandbox=sandbox) as recording:
        return [item for item in recording if isinstance(item, Shown)]


def same(frames: list[Frame], covered: list[Shown]) -> bool:
    """Whether a file that is covered is read as it is watched: pictures and times."""
    assert [one.picture.time_s for one in covered] == pytest.approx(
        [frame.time_s for frame in frames], abs=2e-3
    )
    if [one.image.shape for one in covered] != [frame.image.shape for frame in frames]:
        return False
    apart = (
        np.abs(one.image.astype(int) - frame.image).max()
        for one, frame in zip(covered, frames, strict=True)
    )
    return all(levels <= 3 for levels in apart)  # FFmpeg converts what the public stream looks at


def whole(shown: Shown) -> tuple[object, ...]:
    """All that is known of a picture that is to be covered."""
    picture = shown.picture
    planes = tuple((plane.dtype, plane.shape, plane.tobytes()) for plane in picture.planes)
    return picture.ticks, picture.time_s, planes, shown.image.tobytes(), shown.message
