"""Standard streams that are closed where a process begins."""

from __future__ import annotations

import os

STDERR = 2


def fill_standard_streams() -> None:
    """Let nothing that is opened get the number of a standard stream that came closed.

    What a library prints would go into it, and a process that is started has others there.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(opened)
