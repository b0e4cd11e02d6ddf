"""Reading `cameras.toml`: all that is wrong with it at once, each by its line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec.structs import fields

from sealshot.runtime.errors import InputError
from sealshot.runtime.service.config import Camera, Config, Name
from sealshot.runtime.toml import TomlError, read_toml

Where = tuple[str | int, ...]
"""A place in the file: names of tables and keys, and numbers of the tables of an array."""
STAND_IN = "-"
HOW_TOML_IS_WRITTEN = (
    'a line is `name = "text"`, `name = 7` or `[table]`, each name once; '
    "`sealshot serve --example` shows all"
)
WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


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


@dataclass(frozen=True)
class Reading:
    """What was read of a file that may be wrong."""

    config: Config
    """Of what is right in it; what is needed and wrong is ``STAND_IN``."""
    wrong: frozenset[Where]
    """Keys that are there and wrong, that are none, or that are needed and missing."""
    problems: list[Problem]


def decode(text: str) -> Config:
    """Return what the text of a file says.

    Raises:
        ConfigError: it is no TOML, or has a key or a value that is none.
    """
    reading = read(text)
    if reading.problems:
        raise ConfigError(reading.problems)
    return reading.config


def read(text: str) -> Reading:
    """Read all that can be read of a file.

    Raises:
        ConfigError: it is no TOML.
    """
    try:
        table = read_toml(text)
    except TomlError as error:
        raise ConfigError([Problem(error.line, error.fact, HOW_TOML_IS_WRITTEN)]) from None
    found = list(_wrong(table, Config, ()))
    for where, *_ in found:
        _take_out(table, where)
    for (*place, key), *_ in list(_wrong(table, _Loose, ())):  # what is needed
        _table_at(table, place)[key] = STAND_IN
    config = msgspec.convert(table, _Loose)
    all_found = [*found, *_wrong_names(config)]
    problems = [Problem(line_of(text, where), *words) for where, *words in all_found]
    problems.sort(key=lambda problem: problem.line)
    return Reading(config, frozenset(where for where, *_ in found), problems)


class _Loose(Config, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A configuration that may have no camera, and cameras whose names are none."""

    camera: dict[str, Camera] = msgspec.field(default_factory=dict)


def _take_out(table: Any, where: Where) -> None:
    *place, key = where
    with suppress(KeyError):  # it is missing
        del _table_at(table, place)[key]


def _table_at(table: Any, place: Sequence[str | int]) -> Any:
    for step in place:
        table = table[step]
    return table


def line_of(text: str, where: Where) -> int:
    """Return the line on which a key of a valid file stands; of what is not there, its table's.

    TOML's own reader says where it is: what a file has up to a line is valid TOML unless a value
    goes on in the next line, and the first such part that has the key ends with it.
    """
    lines, start = text.splitlines(keepends=True), 1
    for count in range(1, len(lines) + 1):
        try:
            table = read_toml("".join(lines[:count]))
        except TomlError:
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
            fact = f"{name + ': ' if name else ''}'{key}' is missing"
            yield (*where, key), fact, "`sealshot serve --example` shows where it goes"


def _wrong_value(value: Any, kind: Any, here: Where) -> Iterator[tuple[Any, ...]]:
    inner, origin, name = _struct_in(kind), get_origin(_bare(kind)), ".".join(map(str, here))
    if inner is not None and isinstance(value, dict) and origin is not tuple:
        if origin is not dict:
            yield from _wrong(value, inner, here)
            return
        for key, part in value.items():
            if isinstance(part, dict):
                yield from _wrong(part, inner, (*here, key))
            else:
                yield (*here, key), f"{name}: it takes {takes(kind)}{_not(part)}", ""
        if value:
            return
    if inner is not None and origin is tuple and _are_tables(value):
        for number, part in enumerate(value):
            yield from _wrong(part, inner, (*here, number))
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        yield here, f"{name}: it takes {takes(kind)}{_not(value)}", ""


def takes(kind: Any) -> str:
    """Say which values a type takes: as its description says, or else by what it is."""
    for limit in getattr(kind, "__metadata__", ()):
        if limit.description:
            return str(limit.description)
    bare = _bare(kind)
    if get_origin(bare) is Literal:
        return f"one of {', '.join(get_args(bare))}"
    if get_origin(bare) in (Union, UnionType):  # with None, which TOML has not
        return takes(get_args(bare)[0])
    return "a table" if _struct_in(bare) else WORDS[bare]


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, dict) for part in value)


def _not(value: object) -> str:
    """Say which value it does not take; a text may hold a secret, and is not shown."""
    if isinstance(value, str):
        return ", not this text"
    if isinstance(value, bool):
        return f", not {str(value).lower()}"
    return f", not {value}" if isinstance(value, int | float) else ""


def _wrong_names(config: Config) -> Iterator[tuple[Where, str, str]]:
    for key in config.camera:
        try:
            msgspec.convert(key, Name)
        except msgspec.ValidationError:
            yield ("camera", key), f"'{key}' is no name", takes(Name)


def _bare(kind: Any) -> Any:
    """Return a type without the limits that msgspec checks."""
    return kind.__origin__ if hasattr(kind, "__metadata__") else kind


def _struct_in(kind: Any) -> Any:
    """Return the kind of table that a value consists of: itself, the values, or the elements."""
    kind = _bare(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next(filter(None, map(_struct_in, get_args(kind))), None)
