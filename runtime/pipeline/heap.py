"""Where threads take their memory from."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""mallopt(3)"""
SPARE_BYTES, APART_BYTES = 16 << 20, 32 << 20
"""More than what comes and goes with a picture, and more than a picture."""


def one_heap() -> None:
    """Let all threads of this process take their memory from one place, from now on.

    The C library gives each thread a place of its own, where room for pictures and for what is made
    of them stays when they are gone. Few threads need it at a time. From there the next picture
    takes it: to give it back to the system and ask again takes longer than what is done there.
    """
    with suppress(AttributeError):  # another library than glibc
        c_library = ctypes.CDLL(None)
        c_library.mallopt(M_ARENA_MAX, 1)
        c_library.mallopt(M_TRIM_THRESHOLD, SPARE_BYTES)
        c_library.mallopt(M_MMAP_THRESHOLD, APART_BYTES)
