"""Legal holds: the epoch's secret of some shots, kept beyond its time under a key of their case.

holds/<warrant>/2027-03-01T00:00:00Z.key    the case's identity; the name is when it dies
holds/<warrant>/<shot>.age                  the epoch's secret of a shot, bound to its header
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sealshot.runtime.age import age
from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.errors import SealError
from sealshot.runtime.files import fsync_folder
from sealshot.runtime.seal.container import Header
from sealshot.runtime.seal.documents import write_file
from sealshot.runtime.seal.epochs import KEY_SUFFIX, destroy_file, mortal_keys
from sealshot.runtime.seal.keys import PrivateKey, read_identities, write_identity
from sealshot.runtime.seal.quorum import VERSION, open_bound
from sealshot.runtime.seal.times import format_time, is_time, parse_time


@dataclass(frozen=True, slots=True)
class Case:
    """The folder of one case and the key that its secrets are kept under."""

    folder: Path
    identity: PrivateKey


class Holds:
    """The holds of a custodian."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def case(self, warrant: str, until: datetime) -> Case:
        """Return the case of a warrant; a new one gets a key that dies at ``until``.

        Raises:
            SealError: the case is held until another time.
        """
        folder = self._folder / warrant
        folder.mkdir(mode=0o700, exist_ok=True)
        fsync_folder(self._folder)
        path = folder / (format_time(until) + KEY_SUFFIX)
        there = _keys(folder)
        if there and there != [path]:
            raise SealError(
                f"the shots of this warrant are on hold until {there[0].stem}",
                hint="another time takes another warrant",
            )
        if not there:
            write_identity(path, HybridIdentity.generate())
        return Case(folder, read_identities(str(path))[0])

    def keep(self, header: Header, secret: bytes, case: Case) -> None:
        """Seal the epoch's secret of a shot to the key of its case."""
        sealed = age.encrypt(VERSION + header.digest + secret, [case.identity.recipient])
        write_file(case.folder / f"{header.id}.age", sealed, mode=0o600)

    def find(self, header: Header, now: datetime) -> bytes | None:
        """Return the epoch's secret of a shot that is on hold at ``now``.

        Raises:
            SealError: it is of another shot, or damaged.
        """
        for folder in sorted(self._folder.iterdir()):
            kept = folder / f"{header.id}.age"
            for key in _keys(folder):
                if kept.exists() and parse_time(key.stem) > now:
                    return open_bound(kept.read_bytes(), header, read_identities(str(key))[0])
        return None

    def expired(self, now: datetime) -> list[str]:
        """Return the cases whose time is over."""
        folders = sorted(self._folder.iterdir())
        return [f.name for f in folders if any(parse_time(k.stem) <= now for k in _mortal(f))]

    def destroy(self, warrant: str) -> None:
        """Destroy the key of a case.

        Raises:
            SealshotError: it could not be destroyed.
        """
        for key in _mortal(self._folder / warrant):
            destroy_file(key)


def _keys(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*" + KEY_SUFFIX) if is_time(path.stem)]


def _mortal(folder: Path) -> list[Path]:
    return [path for path in mortal_keys(folder) if is_time(path.stem)]
