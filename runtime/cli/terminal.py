"""The one place that prints to a person.

Rules:
- What was asked for goes to standard output; progress, warnings and errors go to standard error,
  so that ``sealshot ... --json | jq`` works.
- An error is ``error: FACT`` and, on the next line, ``hint: FIX``. No traceback, no colour codes
  in a pipe.
- On a terminal long work shows a bar; in a log it writes one line now and then, ever more rarely.

Tables, and what a terminal is shown, are rich's; it is loaded for those: a camera needs it not.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealshot.runtime.errors import SealshotError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

FIRST_LOG_S, LONGEST_LOG_S = 10.0, 3600.0
"""Between two lines on progress in a log, which grow rarer: each wait is twice the last one."""

WITHOUT_EDGE = 1000
"""Columns of what is no terminal, and has no edge to wrap at."""

ERROR, WARNING, INFO = 3, 4, 6
"""Levels of syslog."""

_TERMINAL = Path("/dev/tty")


@contextmanager
def _answering() -> Iterator[None]:
    """Let what goes to standard output fail in one sentence; a reader who left is no failure."""
    try:
        yield
        if sys.stdout is not None:  # None where it is closed: nobody wants the answer
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is tried again
        raise SealshotError(
            f"the answer cannot be written to standard output: {error.strerror}",
            hint="make room where it goes",
        ) from error


def printable(text: str) -> str:
    """Return a text without what could drive a terminal: names of files come from anywhere."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def say(text: str = "") -> None:
    """Print a line of the answer.

    Raises:
        SealshotError: standard output takes no more.
    """
    with _answering():
        print(printable(text))


def note(text: str) -> None:
    """Print a line about the work, not part of the answer."""
    _tell(text, INFO)


def warn(text: str) -> None:
    """Print a warning."""
    _tell(f"warning: {text}", WARNING, "yellow")


def fail(error: SealshotError) -> None:
    """Print an error: the fact and the hint."""
    _tell(f"error: {error.fact}", ERROR, "bold red")
    if error.hint:
        _tell(f"hint: {error.hint}", ERROR)


def _tell(text: str, level: int, style: str | None = None) -> None:
    text = printable(text)
    if _in_journal():
        text = "\n".join(f"<{level}>{line}" for line in text.splitlines())
    with suppress(OSError):  # a terminal that was closed: there is nobody to tell
        if sys.stderr.isatty():
            _console().print(text, markup=False, style=style)
        else:
            print(text, file=sys.stderr)


@cache
def _console() -> Console:
    """Return the terminal; a bar on it stays below what is printed."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def _in_journal() -> bool:
    """Say whether standard error is systemd's journal, which takes levels: sd-daemon(3)."""
    if (stream := os.environ.get("JOURNAL_STREAM")) is None:
        return False
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"


class Prompter:
    """Shows and asks on the terminal what a plugin of age wants."""

    def tell(self, text: str) -> None:
        """Show a message."""
        note(text)

    def ask(self, text: str, *, secret: bool) -> str | None:
        """Return what is typed, unseen where it is secret; None where there is no terminal."""
        question = f"{printable(text)}: "
        try:
            if secret:
                os.close(os.open(_TERMINAL, os.O_RDWR))  # getpass would take standard input
                return getpass.getpass(question)
            with _TERMINAL.open("w") as terminal, _TERMINAL.open() as typed:
                terminal.write(question)
                terminal.flush()
                return typed.readline().removesuffix("\n")
        except (OSError, EOFError):
            return None


class _Handler(logging.Handler):
    """Prints what the library logs as a warning, or as a note where it is less than that."""

    def emit(self, record: logging.LogRecord) -> None:
        (warn if record.levelno >= logging.WARNING else note)(record.getMessage())


@contextmanager
def printed_log() -> Iterator[None]:
    """Print what is logged below ``sealshot`` while the block runs."""
    logger, handler = logging.getLogger("sealshot"), _Handler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def say_json(value: Any) -> None:
    """Print the answer for machines."""
    say(json.dumps(value, indent=2, allow_nan=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print a table; columns whose head starts with ``>`` are right-aligned.

    On a terminal that would have to cut words, each row is a list: a line for each column.
    """
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    rows = [[printable(cell) for cell in row] for row in rows]
    grid = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        grid.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*row)
    out = Console(highlight=False, markup=False)
    if not out.is_terminal:
        out.width = WITHOUT_EDGE
    with _answering():
        free = out.options.update(max_width=WITHOUT_EDGE)
        if Measurement.get(out, free, grid).minimum <= out.width:
            out.print(grid)
            return
        if title:
            out.print(title)
        for number, row in enumerate(rows):
            if number:
                out.print()
            lines = Table.grid("", "", padding=(0, 2, 0, 0))
            out.print(_as_list(lines, [column.lstrip(">") for column in columns], row))


def _as_list(lines: Table, heads: Sequence[str], row: Sequence[str]) -> Table:
    lines.columns[1].overflow = "fold"
    for head, cell in zip(heads, row, strict=True):
        if cell:
            lines.add_row(head, cell)
    return lines


class Bar:
    """Progress of one piece of work; see :func:`progress`."""

    def __init__(self, label: str, total: int | None) -> None:
        self._label, self._total = label, total
        self._done = 0
        self._wait_s = FIRST_LOG_S
        self._next_log = time.monotonic() + self._wait_s
        self._rich = _drawn() if sys.stderr.isatty() else None
        if self._rich:
            self._task = self._rich.add_task(label, total=total, text="", count="")
            self._rich.start()

    def update(self, done: int, text: str = "", total: int | None = None) -> None:
        """Show that ``done`` units are done, a few words on how it goes, and a total found late."""
        self._done, self._total = done, total or self._total
        if self._rich:
            self._rich.update(
                self._task, completed=done, total=self._total, text=text, count=self._count()
            )
        elif time.monotonic() >= self._next_log:
            self._wait_s = min(2 * self._wait_s, LONGEST_LOG_S)
            self._next_log = time.monotonic() + self._wait_s
            note(f"{self._label} {self._count()} {text}".rstrip())

    def _count(self) -> str:
        return f"{self._done}/{self._total}" if self._total else f"{self._done}"

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._rich:
            with suppress(OSError):
                self._rich.stop()


def _drawn() -> Progress:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}"),
        console=_console(),
        transient=True,
    )


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Bar]:
    """Show progress while the block runs; ``total`` is None where the end is not known."""
    bar = Bar(label, total)
    try:
        yield bar
    finally:
        bar.close()
