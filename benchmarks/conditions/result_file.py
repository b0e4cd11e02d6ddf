"""How results are written: whole or not at all, and told in one sentence where they cannot be."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sealshot.runtime.files import file_error, write_atomic


def write_output(path: Path, data: bytes, what: str = "file") -> None:
    """Write a file that a user named, whole or not at all; its folder is made if absent.

    Raises:
        InputError: it cannot be written there; the hint is to name another ``what``.
        SealshotError: the disk is full or broken.
    """
    with writing(path, what):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)


@contextmanager
def writing(path: Path, what: str) -> Iterator[None]:
    """Tell in one sentence that what a user named with -o cannot be written.

    Raises:
        InputError: an OSError of a wrong path was raised inside; the hint is to name another
            ``what``.
        SealshotError: another one was.
    """
    try:
        yield
    except OSError as error:
        fact = f"cannot write {error.filename or path}"
        raise file_error(fact, error, f"name another {what} with -o") from error


def write_result(path: Path, fields: Mapping[str, Any], what: str = "file") -> None:
    """Write a result file, as :func:`write_output` does.

    Raises:
        InputError: it cannot be written there; the hint is to name another ``what``.
        SealshotError: the disk is full or broken.
        ValueError: a number is not finite: what is not known is None.
    """
    write_output(path, as_json(fields), what)


def as_json(fields: Mapping[str, Any]) -> bytes:
    """Return the content of every JSON file that a benchmark writes.

    Raises:
        ValueError: a number is not finite: what is not known is None.
    """
    return (json.dumps(fields, indent=1, allow_nan=False) + "\n").encode()


def known(value: Any) -> Any:
    """Return numbers, lists or an array of them as JSON has them: None where one is not finite."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list):
        return [known(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
