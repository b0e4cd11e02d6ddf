"""Giving memory of pictures back, which glibc's allocator would keep."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # <malloc.h>
LARGE_BYTES = 1_000_000
"""A plane of a picture in full HD has twice as much."""
SPARE_BYTES = 8 * 1024 * 1024


def give_back_pictures() -> None:
    """Let the system have the memory of a picture back as soon as it is gone; not with other libc.

    By itself glibc takes memory for what is large from the system each time, until the first of
    that size is gone: from then on what waits for a second lies among what does not, whose room is
    kept (mallopt(3)). At 1920x1080 that was 98 MB.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, SPARE_BYTES)  # what is small is kept, which costs less time
