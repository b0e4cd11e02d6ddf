"""Sound beside pictures, in files as the world has them: it goes on, with its pauses."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from odd_files import TONE, X264, ffmpeg, joined

from sealshot.runtime.public.recording import Recording

pytestmark = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="makes its files with ffmpeg")


def sound_times(path: Path) -> list[float]:
    with Recording(path, sound=True) as recording:
        packets = [item for item in recording if isinstance(item, av.Packet) and item.size]
    return [float(packet.dts * packet.time_base) for packet in packets]


def test_sound_goes_on_where_a_clock_begins_anew(base, tmp_path) -> None:
    make = f"{TONE} {X264} -c:a aac -t 1"
    path = joined(base, tmp_path, f"{make} -output_ts_offset 500", make)
    times = sound_times(path)
    assert all(0 < step_s < 0.1 for step_s in np.diff(times))
    assert times[-1] - times[0] == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    ("stamps", "steps_s"),
    [
        ("PTS+gte(N,4)*20000", [0.1] * 3 + [20.1] + [0.1] * 5),  # silence that is not sent
        ("if(eq(N,4),PTS+7200000,PTS)", [0.1] * 9),
    ],
)
def test_sound_keeps_its_pauses_and_drops_stamps_that_are_wrong(
    base, tmp_path, stamps, steps_s
) -> None:
    path = tmp_path / "paused.mkv"
    pieces = [
        "-af",
        "asetnsamples=4410",
        "-c:a",
        "pcm_s16le",
        "-bsf:a",
        f"setts=pts='{stamps}':dts=DTS",
    ]
    ffmpeg("-i", base, *TONE.split(), *X264.split(), *pieces, "-t", "1", path)
    assert np.diff(sound_times(path)) == pytest.approx(steps_s, abs=2e-3)
