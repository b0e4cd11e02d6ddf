"""The sealed objects that a command line names: found, read, parted by a warrant."""

from __future__ import annotations

import errno
from collections import Counter
from pathlib import Path

from sealshot.runtime.cli.terminal import note
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import read_regular
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.warrant import RefusedError, Warrant, check_scope
from sealshot.runtime.vault.store import OBJECT_LIMIT, SEALED, SUFFIXES


def expand(path: Path) -> list[Path]:
    """Return the objects that an argument names: itself, or all in a vault or a day of it.

    Raises:
        InputError: there is none.
    """
    if not path.is_dir():
        return [path]
    files = (file for pattern in ("*", "*/*") for file in path.glob(pattern))
    found = sorted(
        file
        for file in files
        if file.suffix in SUFFIXES and not file.relative_to(path).parts[0].startswith(".")
    )  # what waits for its upload is marked in .upload by files of the same name
    if not found:
        raise InputError(f"there is no sealed object in {path}", hint="give a vault or an object")
    return found


def in_scope(objects: list[Path], warrant: Warrant, policy: Policy) -> list[Path]:
    """Return the objects that a warrant is for; what is damaged stays, to be told later.

    Raises:
        InputError: it is for none of them.
    """
    kept, left_out = [], Counter[str]()
    for path in objects:
        if path.suffix != SEALED:
            left_out["not sealed under a policy"] += 1
            continue
        try:
            check_scope(warrant, read_container(read_object(path)), policy)
        except RefusedError as error:
            left_out[error.reason] += 1
            continue
        except InputError:
            pass
        kept.append(path)
    for reason, count in left_out.items():
        note(f"{count} left out: {reason}")
    if not kept:
        raise InputError(
            "the warrant is for none of the objects", hint="`sealshot warrant show` says for which"
        )
    return kept


def read_object(path: Path) -> bytes:
    """Read a sealed object.

    Raises:
        InputError: it cannot be read, or is no file that could be one.
    """
    try:
        return read_regular(path, OBJECT_LIMIT, follow=True)
    except OSError as error:
        if error.errno == errno.EFBIG:
            fact, hint = "it is larger than any sealed shot", "`age -d -i KEY FILE` opens it"
        else:
            fact, hint = f"cannot read it: {error.strerror}", "check the path"
        raise InputError(fact, hint) from error
