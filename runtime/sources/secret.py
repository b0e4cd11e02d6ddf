"""A secret out of a file: on a command line each user of the machine can read it."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from sealshot.runtime.errors import InputError
from sealshot.runtime.files import in_folder, read_regular

logger = logging.getLogger(__name__)

CREDENTIAL = "credential:"
"""Before the name of a systemd credential, as ``LoadCredential=`` gives."""
LIMIT = 64 * 1024  # bytes


def read_secret(where: str, base: Path = Path(), what: str = "the source") -> str:
    """Return the only line of a file that is not empty and no comment (``#``).

    Args:
        where: a path, or ``credential:NAME``.
        base: folder that a path starts from.
        what: it is, for errors; what it holds is not told.

    Raises:
        InputError: there is no such file, or it is not one of one line.
    """
    ours = not where.startswith(CREDENTIAL)
    path = in_folder(base, where) if ours else _credential(where)
    try:
        text = read_regular(path, LIMIT, follow=True).decode()
        mode = path.stat().st_mode
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
    if ours and mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("others than its owner can read %s in %s: chmod 600 it", what, path)
    return lines[0]


def _credential(where: str) -> Path:
    name, folder = where.removeprefix(CREDENTIAL), os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder or not name or "/" in name or name in (".", ".."):
        raise InputError(
            f"there is no credential '{name}'",
            hint=f"write LoadCredential={name}:FILE into the unit, or give the path of a file",
        )
    return Path(folder) / name
