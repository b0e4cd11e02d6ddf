"""Standard streams: closed where a process begins, or without a letter for what is printed."""

from __future__ import annotations

import io
import os
import sys

STDERR = 2


def fill_standard_streams() -> None:
    """Let nothing that is opened get the number of a standard stream that came closed.

    What a library prints would go into it, and a process that is started has others there.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(opened)


def spell_out() -> None:
    """Have standard output spell out what its encoding lacks (``\\xfc``), as standard error does.

    A file's name or a dash in a table, printed where the locale is not UTF-8, ends no command.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
