"""How results are written: whole or not at all, and told in one sentence where they cannot be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic


def write_output(path: Path, data: bytes, what: str = "file") -> None:
    """Write a file that a user named, whole or not at all; its folder is made if absent.

    Raises:
        InputError: it cannot be written; the hint is to name another ``what``.
    """
    with writing(path, what):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)


@contextmanager
def writing(path: Path, what: str) -> Iterator[None]:
    """Tell in one sentence that what a user named with -o cannot be written.

    Raises:
        InputError: an OSError was raised inside; the hint is to name another ``what``.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot write {error.filename or path}: {error.strerror}",
            hint=f"name another {what} with -o",
        ) from error


def write_result(path: Path, fields: Mapping[str, Any], what: str = "file") -> None:
    """Write a result file, as :func:`write_output` does.

    Raises:
        InputError: it cannot be written; the hint is to name another ``what``.
    """
    write_output(path, (json.dumps(fields, indent=1, allow_nan=False) + "\n").encode(), what)
