"""Command-line arguments: hand-written usage text, and errors in the project's own form."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from sealshot.runtime.errors import InputError


class Arguments(argparse.ArgumentParser):
    """The arguments of one command: ``--help`` prints ``usage``, an error raises InputError."""

    def __init__(self, command: str, usage: str) -> None:
        super().__init__(
            prog=f"sealshot {command}", usage=usage, add_help=False, allow_abbrev=False
        )
        self.add_argument("-h", "--help", action=_Help, nargs=0)

    def error(self, message: str) -> NoReturn:
        """Raise InputError; argparse would print and exit."""
        raise InputError(message, hint=f"`{self.prog} --help` shows the usage")


class _Help(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print((parser.usage or "").strip())
        parser.exit(0)


def positive_int(text: str) -> int:
    """Read an integer of at least 1."""
    value = int(text) if text.strip().lstrip("+-").isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of 1 or more")
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
