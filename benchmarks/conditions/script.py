"""What the scripts that are run as ``python -m sealshot.benchmarks.NAME`` share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from sealshot.runtime.cli.terminal import fail, note
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import write_atomic


def call(main: Callable[[list[str]], int]) -> NoReturn:
    """Run ``main`` on the arguments of the process and exit, with the exit codes of `sealshot`."""
    try:
        sys.exit(main(sys.argv[1:]))
    except SealshotError as error:
        fail(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        note("interrupted")
        sys.exit(130)


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
            f"cannot write {path}: {error.strerror}", hint=f"name another {what} with -o"
        ) from error


def write_result(path: Path, fields: Mapping[str, Any], what: str = "file") -> None:
    """Write a result file, as :func:`write_output` does.

    Raises:
        InputError: it cannot be written; the hint is to name another ``what``.
    """
    write_output(path, (json.dumps(fields, indent=1, allow_nan=False) + "\n").encode(), what)
