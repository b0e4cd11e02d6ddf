"""Reading TOML, and saying where a text is none."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class TomlError(ValueError):
    """A text is no TOML."""

    def __init__(self, line: int, fact: str) -> None:
        super().__init__(f"line {line}: {fact}")
        self.line, self.fact = line, fact
        """The line from 1 on, and what is wrong there."""


def read_toml(text: str) -> dict[str, Any]:
    """Return what a text says.

    Raises:
        TomlError: it is no TOML, or more than can be read.
    """
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        words, _, place = str(error).partition(" (at ")
        number = place.removeprefix("line ").partition(",")[0]
        line = int(number) if number.isdecimal() else max(1, len(text.splitlines()))
        fact = f"this is no TOML: {words[:1].lower()}{words[1:]}"
        raise TomlError(line, fact) from None
    except RecursionError:
        raise TomlError(1, "this is nested too deep for TOML") from None
    except ValueError:
        raise TomlError(1, "a number in it has too many digits") from None
    return table
