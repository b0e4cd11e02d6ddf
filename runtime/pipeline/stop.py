"""How a watch is asked to end: after the item in hand, with a shot of everybody in view."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
AGAIN_S = 1.0
"""A Ctrl-C that comes this long after the first one means: at once, whatever is lost."""


class Stop:
    """A flag that ends a watch.

    It has no lock, so that a signal handler may set it whatever the thread was at
    (``threading.Event.set`` would wait for a lock that this thread may hold).
    """

    def __init__(self) -> None:
        self._set_s: float | None = None  # monotonic
        self._heeded = False

    def set(self) -> None:
        """Ask for the end."""
        if self._set_s is None:
            self._set_s = time.monotonic()

    def is_set(self) -> bool:
        """Whether somebody asked."""
        return self._set_s is not None

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Say that, while the block runs, the flag is looked at soon after it is set."""
        self._heeded = True
        try:
            yield
        finally:
            self._heeded = False

    @contextmanager
    def on_signals(self, signals: Sequence[signal.Signals] = SIGNALS) -> Iterator[None]:
        """Let signals set the flag while the block runs.

        Where nobody heeds it, while a source or a model is opened, they raise KeyboardInterrupt;
        so does a second Ctrl-C, ``AGAIN_S`` after the first. SIGHUP stays ignored where it is, as
        below ``nohup``. Signals reach the main thread alone; in another one this does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def arrived(number: int, _frame: FrameType | None) -> None:
            if not self._heeded:
                raise KeyboardInterrupt
            if self._set_s is None:
                self.set()
            elif number == signal.SIGINT and time.monotonic() - self._set_s >= AGAIN_S:
                raise KeyboardInterrupt

        before = {}
        for number in signals:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, arrived)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
