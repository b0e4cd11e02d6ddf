"""Command-line arguments: hand-written usage text, and errors in the project's own form."""

from __future__ import annotations

import argparse
import errno
import importlib
import itertools
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from sealshot.runtime.cli.terminal import fail, note, say
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.seal.times import format_hour, is_hour, parse_duration, parse_time

MISSING = "the following arguments are required: "
"""How argparse says so."""


class _ReachedError(Exception):
    """A command came as far as its arguments, and nothing else is wanted of it."""

    def __init__(self, arguments: Arguments) -> None:
        super().__init__()
        self.arguments = arguments


class Arguments(argparse.ArgumentParser):
    """The arguments of one command: ``--help`` prints ``usage``, an error raises InputError."""

    def __init__(self, command: str, usage: str) -> None:
        super().__init__(
            prog=f"sealshot {command}", usage=usage, add_help=False, allow_abbrev=False
        )
        self.add_argument("-h", "--help", action=_Help, nargs=0)
        self._first = ""

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str], namespace: None = None
    ) -> argparse.Namespace:
        """Parse them; one that is empty, as an unset variable leaves it, is an error."""
        self._first = args[0] if args else ""
        if _only_wanted.get():
            raise _ReachedError(self)
        if any(re.fullmatch("(--[^=]*=)?", arg) for arg in args):
            self.error("an argument is empty")
        for arg in itertools.takewhile(lambda arg: arg != "--", args):
            option = arg.partition("=")[0]
            if option.startswith("--") and option not in self._option_string_actions:
                import difflib

                near = difflib.get_close_matches(option, self._option_string_actions, n=1)
                raise InputError(
                    f"unrecognized arguments: {arg}",
                    hint=f"did you mean {near[0]}?" if near else self._hint(),
                )
        return super().parse_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise InputError; argparse would print and exit. Where something is missing, show all."""
        way = self._synopsis() if message.startswith(MISSING) else ""
        hint = f"{way} (`{self.prog} --help` says more)" if way else self._hint()
        raise InputError(message, hint=hint)

    def only_one(self, given: argparse.Namespace, *options: str) -> None:
        """Raise InputError unless exactly one of these options, ``--so``, is given."""
        names = " and ".join(options)
        values = [getattr(given, option.strip("-").replace("-", "_")) for option in options]
        count = sum(value is not None for value in values)
        if count == 0:
            self.error(f"one of {names} is required")
        if count > 1:
            self.error(f"give one of {names}, not both")

    def check_there(self, needed: Mapping[str, object], least: int = 1) -> None:
        """Raise InputError that names all that is not given, if so many are not."""
        missing = [name for name, value in needed.items() if not value]
        if len(missing) >= least:
            self.error(MISSING + ", ".join(missing))

    def _hint(self) -> str:
        return f"`{self.prog} --help` shows the usage"

    def _synopsis(self) -> str:
        """Return the way to call this command that was begun, or the first that the usage has."""
        text, _, _ = (self.usage or "").strip().removeprefix("usage:").partition("\n\n")
        ways = [
            f"{' '.join(way.split())} "
            for way in re.split(r"^ *(?=sealshot )", text, flags=re.MULTILINE)
        ]
        for begun in (f"{self.prog} {self._first} ", f"{self.prog} "):
            for way in ways:
                if way.startswith(begun):
                    return way.strip()
        return ""


class _Help(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        say((parser.usage or "").strip())
        parser.exit(0)


def arguments_of(main: Callable[[list[str]], int], argv: list[str]) -> Arguments:
    """Return what a command parses its arguments with; the command does nothing else."""
    token = _only_wanted.set(True)
    try:
        main(argv)
    except _ReachedError as reached:
        return reached.arguments
    finally:
        _only_wanted.reset(token)
    raise AssertionError(f"{argv}: a command parses its arguments before all else")


_only_wanted: ContextVar[bool] = ContextVar("_only_wanted", default=False)


def positive_int(text: str) -> int:
    """Read an integer of at least 1."""
    value = int(text) if text.strip().lstrip("+-").isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of 1 or more")
    return value


def positive_ints(text: str) -> tuple[int, ...]:
    """Read whole numbers of 1 or more between commas, each once."""
    return tuple(dict.fromkeys(positive_int(part) for part in text.split(",")))


def natural_int(text: str) -> int:
    """Read an integer of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of 0 or more")
    return int(text)


def share(text: str) -> float:
    """Read a share, from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share from 0 to 1")
    return value


def seconds(text: str) -> float:
    """Read a duration in seconds, above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds above 0")
    return value


def aspect(text: str) -> Fraction:
    """Read the shape of a picture, as 16:9: width over height, from 1:4 to 4:1."""
    width, colon, height = text.partition(":")
    if colon and width.isdecimal() and height.isdecimal() and int(height):
        value = Fraction(int(width), int(height))
        if Fraction(1, 4) <= value <= 4:
            return value
    raise argparse.ArgumentTypeError(f"'{text}' is not a shape such as 16:9 or 4:3")


def size(text: str) -> int:
    """Read a number of bytes: 500M, 20G."""
    units = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
    number, unit = text[:-1], text[-1:].upper()
    if unit not in units or not number.isdecimal() or int(number) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size such as 500M or 20G")
    return int(number) * units[unit]


def duration(text: str) -> timedelta:
    """Read 30d or 12h."""
    try:
        return parse_duration(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(f"{error.fact}: {error.hint}") from None


def start_time(text: str) -> datetime:
    """Read a time of UTC from the year 2000 on, that a warrant can be for."""
    try:
        time = parse_time(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(f"{error.fact}: {error.hint}") from None
    if time.year < 2000:
        raise argparse.ArgumentTypeError(f"'{text}' is before the year 2000")
    if not is_hour(format_hour(time)):
        raise argparse.ArgumentTypeError(f"'{text}' is after the year 2999")
    return time


def output_file(text: str) -> Path:
    """Read the path of a file to be written, refused before the work if it never could be.

    Whoever writes makes its folder where there is none; :func:`file_in_folder` is for who does not.
    """
    path = Path(text)
    output_folder(str(path.parent))
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"cannot write {path}: {os.strerror(errno.EISDIR)}")
    return path


def file_in_folder(text: str) -> Path:
    """Read the path of a file to be written into a folder that is there."""
    path = output_file(text)
    if not path.parent.exists():
        raise InputError(
            f"cannot write {path}: {os.strerror(errno.ENOENT)}",
            hint=f"make the folder {path.parent} first",
        )
    return path


def output_folder(text: str) -> Path:
    """Read the path of a folder to write into, refused before the work if it never could be."""
    path = Path(text)
    whole = path.absolute()
    there = next(p for p in (whole, *whole.parents) if os.access(p, os.F_OK, effective_ids=True))
    for wrong, number in (
        (not there.is_dir(), errno.ENOTDIR),
        (not os.access(there, os.W_OK | os.X_OK, effective_ids=True), errno.EACCES),
    ):
        if wrong:
            raise argparse.ArgumentTypeError(f"cannot write into {path}: {os.strerror(number)}")
    return path


def run_action(
    command: str, usage: str, actions: Mapping[str, Callable[[list[str]], int]], argv: list[str]
) -> int:
    """Run the action that the first argument of a command names."""
    if argv and argv[0] in actions:
        return actions[argv[0]](argv[1:])
    arguments = Arguments(command, usage)
    if not argv and not _only_wanted.get():
        hint = f"one of {', '.join(actions)}: `sealshot {command} --help` says more"
        raise InputError(f"{MISSING}ACTION", hint=hint)
    arguments.add_argument("action", metavar="ACTION", choices=tuple(actions))
    arguments.parse_args(argv[:1])
    raise AssertionError("unreachable: parse_args raised")


def in_modules(modules: Mapping[str, str]) -> dict[str, Callable[[list[str]], int]]:
    """Return actions for :func:`run_action`, each the ``main`` of a module that it then loads."""

    def run(module: str, argv: list[str]) -> int:
        return int(importlib.import_module(module).main(argv))

    return {name: partial(run, module) for name, module in modules.items()}


def run_module(main: Callable[[list[str]], int]) -> NoReturn:
    """Run a module that is a command by itself (``python -m``), and exit as `sealshot` does."""
    try:
        sys.exit(main(sys.argv[1:]))
    except SealshotError as error:
        fail(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        note("interrupted")
        sys.exit(130)
