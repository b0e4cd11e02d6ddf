"""Secrets of a configuration: in files of their own, or credentials of systemd."""

from __future__ import annotations

import os
from pathlib import Path

from sealshot.runtime.errors import InputError
from sealshot.runtime.files import read_regular
from sealshot.runtime.service.config import in_folder

CREDENTIAL = "credential:"
"""Before the name of a systemd credential, as ``LoadCredential=`` gives."""
LIMIT = 64 * 1024  # bytes


def read_secret(where: str, base: Path, what: str) -> str:
    """Return the only line of a file that is not empty and no comment.

    Args:
        where: a path, or ``credential:NAME``.
        base: folder that a path starts from.
        what: it is, for errors; what it holds is not told.

    Raises:
        InputError: there is no such file, or it is not one of one line.
    """
    path = _credential(where) if where.startswith(CREDENTIAL) else in_folder(base, where)
    try:
        text = read_regular(path, LIMIT, follow=True).decode()
    except OSError as error:
        raise InputError(
            f"cannot read {what} from {path}: {error.strerror}", hint="check the path"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text", hint=f"write {what} into it, in one line") from None
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if len(lines) != 1:
        raise InputError(
            f"{path} has {len(lines)} lines, not one", hint=f"write {what} into it, in one line"
        )
    return lines[0]


def _credential(where: str) -> Path:
    name, folder = where.removeprefix(CREDENTIAL), os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder or not name or "/" in name or name in (".", ".."):
        raise InputError(
            f"there is no credential '{name}'",
            hint=f"write LoadCredential={name}:FILE into the unit, or give the path of a file",
        )
    return Path(folder) / name
