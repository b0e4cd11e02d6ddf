"""Where the containers of a public stream's originals are: in a vault, or in the stream itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sealshot.runtime.cli.terminal import note
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import read_regular
from sealshot.runtime.public.attached import attached
from sealshot.runtime.public.message import Part
from sealshot.runtime.vault.store import OBJECT_LIMIT, SEALED, list_objects


@dataclass(frozen=True)
class Sealed:
    """A container, wherever it is."""

    id: str
    """As the log of the vault has it."""
    path: Path
    """What it is called in messages; its stem is its own identifier."""
    read: Callable[[], bytes]


def in_vault(vault: Path, wanted: Mapping[Part, str]) -> dict[Part, Sealed]:
    """Return where the containers of parts are, of those that a vault has.

    Raises:
        InputError: it has none of them.
    """
    there = {
        found.path.stem: Sealed(found.id, found.path, partial(_read, found.path))
        for found in list_objects(vault)
        if found.path.suffix == SEALED
    }
    return _of_those(
        there,
        wanted,
        str(vault),
        "give the vault of the camera that wrote the stream; after the retention time they are "
        "gone",
    )


def in_stream(
    stream: Path, wanted: Mapping[Part, str], *, sandbox: bool = True
) -> dict[Part, Sealed]:
    """Return the containers of parts, of those that a stream carries itself.

    Args:
        stream: the stream.
        wanted: the parts, with the identifiers of their containers.
        sandbox: as of :func:`~sealshot.runtime.public.attached.attached`.

    Raises:
        InputError: it carries none of them.
    """
    there = {
        id: Sealed(id + SEALED, stream / (id + SEALED), partial(bytes, data))
        for id, data in attached(stream, sandbox=sandbox).items()
    }
    return _of_those(
        there,
        wanted,
        f"{stream} itself",
        "give --vault DIR of the camera that wrote it; a copy keeps what `sealshot public attach` "
        "put in with -map 0 only",
    )


def _of_those(
    there: Mapping[str, Sealed], wanted: Mapping[Part, str], where: str, hint: str
) -> dict[Part, Sealed]:
    found = {part: there[id] for part, id in wanted.items() if id in there}
    if not found:
        raise InputError(f"none of the {len(wanted)} containers is in {where}", hint=hint)
    if len(found) < len(wanted):
        note(f"{len(wanted) - len(found)} of {len(wanted)} containers are not in {where}")
    return found


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, OBJECT_LIMIT)
    except OSError as error:
        raise InputError(f"cannot read it: {error.strerror}", hint="check the vault") from error
