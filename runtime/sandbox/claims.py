"""What a container says of rate, length and date, as far as it can be believed."""

from __future__ import annotations

import math
from datetime import datetime

import av
from av.container import InputContainer

FASTEST_FPS = 240.0
"""A container that names a higher rate means its clock (WebM's 1000, RTSP's 90000)."""
ONE_LENGTH = frozenset({"asf"})
"""Containers that say for each track how long the whole is."""


def nominal_rate(stream: av.VideoStream) -> float | None:
    """Return the nominal frames per second; None if absent or absurd."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= FASTEST_FPS:
            return float(rate)
    return None


def end_and_length(
    container: InputContainer, stream: av.VideoStream
) -> tuple[float | None, float | None]:
    """Return the stamp of the end, s, and the length, s, where the video's own are known."""
    base, alone = stream.time_base, len(container.streams) == 1
    start_s = float((stream.start_time or 0) * base) if base else 0.0
    if stream.duration and base and (alone or container.format.name not in ONE_LENGTH):
        length_s = float(stream.duration * base)
        return start_s + length_s, length_s
    # the length of the whole is that of its longest track; Matroska counts from 0 and may say the
    # video's end in a tag of its own, which others only copied
    matroska = "matroska" in container.format.name
    end_s = _clock(stream.metadata.get("DURATION", "")) if matroska else None
    if end_s is None and alone and container.duration:
        end_s = container.duration / av.time_base + start_s * (not matroska)
    return end_s, None if end_s is None else end_s - start_s


def expected_frames(
    stream: av.VideoStream, fps: float | None, length_s: float | None
) -> int | None:
    """Return how many frames there should be, if count, rate and length agree on it."""
    if fps is None or length_s is None or not math.isfinite(length_s) or length_s <= 0:
        return stream.frames or None
    expected = max(1, round(fps * length_s))
    # an index may count frames that an edit list hides
    return stream.frames if stream.frames and stream.frames <= 1.1 * expected + 1 else expected


def created(container: InputContainer) -> datetime | None:
    """Return ``creation_time``; 1904 and 1970 are what a clock says that nobody has set."""
    try:
        time = datetime.fromisoformat(
            container.metadata.get("creation_time", "").replace("Z", "+00:00")
        )
    except ValueError:
        return None
    return time if time.tzinfo and time.year >= 2000 else None


def _clock(text: str) -> float | None:
    """Return the seconds of ``02:00:01.033``; None of anything else."""
    try:
        hours, minutes, seconds = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return None
