"""Reading `cameras.toml`: all that is wrong with it at once, each by its line."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec.structs import fields

from sealshot.runtime.errors import InputError
from sealshot.runtime.service.config import Config

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Where = tuple[str | int, ...]
"""A place in the file: names of tables and keys, and numbers of the tables of an array."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file."""

    line: int
    """From 1 on."""
    fact: str
    hint: str = ""


class ConfigError(InputError):
    """A file says what cannot be; ``problems`` has all of it."""

    def __init__(self, problems: list[Problem]) -> None:
        first, more = problems[0], len(problems) - 1
        others = f" (and {more} more: `sealshot serve --check` shows all)" if more else ""
        super().__init__(f"line {first.line}: {first.fact}{others}", first.hint)
        self.problems = problems


def decode(text: str) -> Config:
    """Return what the text of a file says.

    Raises:
        ConfigError: it is no TOML, or has a key or a value that is none.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax(text, error)]) from None
    found = [Problem(line_of(text, where), *words) for where, *words in _wrong(table, Config, ())]
    if found:
        raise ConfigError(sorted(found, key=lambda problem: problem.line))
    return msgspec.convert(table, Config)


def line_of(text: str, where: Where) -> int:
    """Return the line on which a key of a valid file stands; of what is not there, its table's.

    TOML's own reader says where it is: what a file has up to a line is valid TOML unless a value
    goes on in the next line, and the first such part that has the key ends with it.
    """
    lines, start = text.splitlines(keepends=True), 1
    for count in range(1, len(lines) + 1):
        try:
            table = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        if _has(table, where):
            return start
        start = count + 1
    return line_of(text, where[:-1]) if where else 1


def _has(table: Any, where: Where) -> bool:
    for step in where:
        if step not in (range(len(table)) if isinstance(table, list) else table):
            return False
        table = table[step]
    return True


def _syntax(text: str, error: tomllib.TOMLDecodeError) -> Problem:
    words, _, place = str(error).partition(" (at ")
    number = place.removeprefix("line ").partition(",")[0]
    line = int(number) if number.isdecimal() else max(1, len(text.splitlines()))
    return Problem(line, f"this is no TOML: {words[:1].lower()}{words[1:]}")


def _wrong(table: Mapping[str, Any], kind: Any, where: Where) -> Iterator[tuple[Any, ...]]:
    """Yield what is wrong with a table: its place, the fact, the hint."""
    known = {field.encode_name: field for field in fields(kind)}
    name = ".".join(map(str, where))
    for key, value in table.items():
        here = (*where, key)
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
            yield here, f"{name + ': ' if name else ''}there is no '{key}'", hint
        else:
            yield from _wrong_value(value, known[key].type, here)
    for key, field in known.items():
        if field.required and key not in table:
            yield where, f"{name + ': ' if name else ''}'{key}' is missing", ""


def _wrong_value(value: Any, kind: Any, here: Where) -> Iterator[tuple[Any, ...]]:
    inner = _struct_in(kind)
    if inner is not None and isinstance(value, dict):
        if get_origin(_bare(kind)) is not dict:
            yield from _wrong(value, inner, here)
            return
        if value and all(isinstance(part, dict) for part in value.values()):
            for key, part in value.items():
                yield from _wrong_name(key, kind, (*here, key))
                yield from _wrong(part, inner, (*here, key))
            return
    if inner is not None and isinstance(value, list) and all(isinstance(p, dict) for p in value):
        for number, part in enumerate(value):
            yield from _wrong(part, inner, (*here, number))
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        words = str(error).partition(" - at ")[0]
        bare = _bare(kind)
        hint = f"one of {', '.join(get_args(bare))}" if get_origin(bare) is Literal else ""
        yield here, f"{'.'.join(map(str, here))}: {words[:1].lower()}{words[1:]}", hint


def _wrong_name(key: str, kind: Any, here: Where) -> Iterator[tuple[Any, ...]]:
    try:
        msgspec.convert(key, get_args(_bare(kind))[0])
    except msgspec.ValidationError:
        yield here, f"'{key}' is no name", "letters, digits, - and _, at most 64 of them"


def _bare(kind: Any) -> Any:
    """Return a type without the limits that msgspec checks."""
    return kind.__origin__ if hasattr(kind, "__metadata__") else kind


def _struct_in(kind: Any) -> Any:
    """Return the kind of table that a value consists of: itself, the values, or the elements."""
    kind = _bare(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next(filter(None, map(_struct_in, get_args(kind))), None)
