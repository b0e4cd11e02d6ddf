"""JSON out of untrusted hands: strict parsing, and the checks that its fields must pass."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeGuard

TEXT_LIMIT = 1000  # characters of one text field

Check = Callable[[Any], bool]


def parse_json(data: bytes) -> Any:
    """Parse JSON; a field that stands twice, NaN, Infinity and a torn encoding are refused.

    Raises:
        ValueError: it is no such JSON.
    """
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def parse_object(data: bytes, name: str, limit: int) -> dict[str, Any]:
    """Parse a JSON object of at most ``limit`` bytes, called ``name`` in what is said of it.

    Raises:
        ValueError: it is none.
    """
    if not 0 < len(data) <= limit:
        raise ValueError(f"its {name} is missing or too long")
    try:
        values = parse_json(data)
    except ValueError as error:
        raise ValueError(f"its {name} is not JSON") from error
    if not isinstance(values, dict):
        raise ValueError(f"its {name} is not an object")
    return values


def with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an object with tuples for lists, as frozen dataclasses have them."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def problem(values: Mapping[str, Any], checks: Mapping[str, Check]) -> str:
    """Return what is wrong with the fields of an object, or nothing."""
    if values.keys() != checks.keys():
        return "there are other fields than there should be"
    for name, check in checks.items():
        if not check(values[name]):
            return f"'{name}' does not fit"
    return ""


def is_whole(value: object) -> TypeGuard[int]:
    """Whether it is an integer of 0 or more that fits 63 bits."""
    return type(value) is int and 0 <= value < 2**63  # type(): True is an int too


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    return is_whole(value) or (type(value) is float and math.isfinite(value))


def is_text(value: object) -> bool:
    """Whether it is printable text of at most ``TEXT_LIMIT`` characters."""
    return isinstance(value, str) and len(value) <= TEXT_LIMIT and value.isprintable()


def matches(pattern: str) -> Check:
    """Return the check that a text matches a pattern as a whole."""
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def is_list(check: Check, length: int | None = None) -> Check:
    """Return the check that a value is a list, of this length, whose items pass ``check``."""
    return lambda value: (
        isinstance(value, list)
        and (length is None or len(value) == length)
        and all(map(check, value))
    )


def is_object(checks: Mapping[str, Check]) -> Check:
    """Return the check that a value is an object with exactly these fields."""
    return lambda value: isinstance(value, dict) and not problem(value, checks)


def is_base64(value: object) -> bool:
    """Whether it is base64 (RFC 4648, section 4)."""
    try:
        return isinstance(value, str) and base64.b64decode(value, validate=True) is not None
    except (binascii.Error, ValueError):
        return False


is_sha256 = matches(r"[0-9a-f]{64}")
is_object_id = matches(r"[0-9a-f]{32}")
is_name = matches(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Names of cameras, authorities and custodians: fit for a file name and a terminal."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a field stands twice")
    return values


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
