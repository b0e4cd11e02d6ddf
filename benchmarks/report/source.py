"""Result files, and numbers that know where they come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from sealshot.benchmarks.page.html import ABSENT
from sealshot.runtime.errors import InputError


@dataclass(frozen=True, eq=False)
class Source:
    """One result file."""

    name: str
    sha256: str
    data: dict[str, Any]

    @property
    def kind(self) -> str:
        """What was measured; the file's name where the file does not say."""
        return str(self.data.get("kind") or Path(self.name).stem)

    def at(self, pointer: str) -> Any:
        """Return the value that a JSON pointer (RFC 6901) names; None where there is none."""
        value: Any = self.data
        for part in pointer.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            try:
                value = value[int(key)] if isinstance(value, list) else value[key]
            except (KeyError, IndexError, TypeError, ValueError):
                return None
        return value

    def each(self, pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give the pointer and the value of each entry of a list or an object of objects."""
        found = self.at(pointer) or ()
        pairs = found.items() if isinstance(found, dict) else enumerate(found)
        for key, value in pairs:
            yield f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}", value

    def number(self, pointer: str, digits: int = 0, *, scale: float = 1, unit: str = "") -> str:
        """Return a number as HTML that names its file and field.

        Args:
            pointer: of a number in the file.
            digits: behind the point.
            scale: what the number is multiplied by before it is shown.
            unit: behind it.
        """
        value = self.at(pointer)
        if value is None or isinstance(value, (dict, list, str)):
            return ABSENT
        where = escape(pointer, quote=True)
        file = escape(self.name, quote=True)
        return (
            f'<span data-file="{file}" data-field="{where}" data-scale="{scale:g}" '
            f'title="{file} {where}">{value * scale:,.{digits}f}</span>{unit}'
        )

    def range(self, pointer: str, digits: int = 0, *, scale: float = 1) -> str:
        """Return lowest and highest of a spread as HTML."""
        low, high = (
            self.number(f"{pointer}/{end}", digits, scale=scale) for end in ("low", "high")
        )
        return ABSENT if ABSENT in (low, high) else f"{low} to {high}"


def read_source(path: Path) -> Source:
    """Read a result file.

    Raises:
        InputError: it is missing or is no result.
    """
    try:
        text = path.read_bytes()
        data = json.loads(text)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", hint="check the path") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}", hint="name a result file") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} is not a result of `sealshot bench`", hint="name a result file")
    return Source(path.name, hashlib.sha256(text).hexdigest(), data)
