"""Where the program begins: Ctrl-C is handled before all else is imported, which takes longest.

Only what Python itself loads for nearly every program is imported here.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> int:
    """Run `sealshot` and return its exit code."""
    leave_at_once()
    from sealshot.runtime.cli import main

    return main.main()


def leave_at_once() -> None:
    """Let Ctrl-C and SIGTERM end the program where nothing is done yet: while it is imported.

    An exception would not do: what is being imported may catch it.
    """
    for number in SIGNALS:  # SIGINT too: a shell that starts us in the background has it ignored
        signal.signal(number, _leave)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    try:
        os.write(2, b"interrupted\n")
    finally:  # also below a terminal that was closed
        os._exit(130)
