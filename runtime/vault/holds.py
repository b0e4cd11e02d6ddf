"""Legal holds on a vault: what a case needs is not deleted here, whatever its time or the quota.

    vault/.holds/<warrant>_2027-03-01T00:00:00Z.json    a warrant to hold; the name says until when

`sealshot custodian hold` keeps the key to such shots; this keeps the shots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sealshot.runtime.errors import SealError, VaultError
from sealshot.runtime.files import PART, file_error, fsync_folder, read_regular
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.documents import write_file
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.scope import check_scope
from sealshot.runtime.seal.times import format_time, is_time, parse_time
from sealshot.runtime.seal.warrant import Warrant, check_placed, check_warrant, read_warrant
from sealshot.runtime.vault.store import OBJECT_LIMIT, SEALED

FOLDER, SUFFIX = ".holds", ".json"


@dataclass(frozen=True, slots=True)
class Hold:
    """A warrant to hold, and until when."""

    warrant: Warrant
    until: datetime


class Holds:
    """The holds that are in force on a vault.

    Args:
        vault: its folder.
        holds: as :func:`read_holds` returns them.
        policy: of the shots.
    """

    def __init__(self, vault: Path, holds: Sequence[Hold], policy: Policy | None) -> None:
        self._vault, self._policy = vault, policy
        self._holds = tuple(holds)
        self._known: dict[str, Hold | None] = {}

    def __iter__(self) -> Iterator[Hold]:
        return iter(self._holds)

    def __len__(self) -> int:
        return len(self._holds)

    def of(self, object_id: str) -> Hold | None:
        """Return the hold that an object is under."""
        if not self._holds or self._policy is None:
            return None
        if object_id not in self._known:
            self._known[object_id] = self._find(object_id, self._policy)
        return self._known[object_id]

    def _find(self, object_id: str, policy: Policy) -> Hold | None:
        if not object_id.endswith(SEALED):
            return None  # who is to open it is not known from outside
        try:
            container = read_container(read_regular(self._vault / object_id, OBJECT_LIMIT))
        except (SealError, OSError):
            return None  # nobody can open it
        for hold in self._holds:
            try:
                check_scope(hold.warrant, container, policy)
            except SealError:
                continue
            return hold
        return None


def place_hold(
    vault: Path, warrant: Warrant, policy: Policy, until: datetime, now: datetime
) -> Path:
    """Put a hold on the shots of a vault that a warrant is for; return its file.

    Raises:
        RefusedError: the warrant is not in force.
        SealError: it cannot be written.
    """
    check_warrant(warrant, policy, now, "hold")
    folder = vault / FOLDER
    path = folder / f"{warrant.digest}_{format_time(until)}{SUFFIX}"
    try:
        folder.mkdir(exist_ok=True)
        fsync_folder(vault)
    except OSError as error:
        raise file_error(f"the folder {folder} cannot be made", error, "check the vault") from error
    write_file(path, warrant.document.encode())
    return path


def read_holds(vault: Path, policy: Policy | None, now: datetime) -> Holds:
    """Return the holds of a vault whose time is not over.

    Raises:
        VaultError: one cannot be read, or is not signed by a quorum of the policy. Nothing should
            be deleted before a person has looked at it.
    """
    holds = []
    for path in _files(vault):
        digest, _, until = path.name.removesuffix(SUFFIX).partition("_")
        if not is_time(until):
            raise _unusable(path, "its name says no time")
        if policy is None and parse_time(until) <= now:
            continue
        if policy is None:
            raise _unusable(path, "there is no policy to verify it by: give --policy")
        try:
            warrant = read_warrant(path)
            check_placed(warrant, policy)
        except SealError as error:
            raise _unusable(path, error.fact) from error
        if warrant.digest != digest:
            raise _unusable(path, "its name is that of another warrant")
        if warrant.until not in (None, parse_time(until)):
            raise _unusable(path, "its name says another end than was signed")
        if parse_time(until) > now:
            holds.append(Hold(warrant, parse_time(until)))
    return Holds(vault, holds, policy)


def _files(vault: Path) -> list[Path]:
    folder = vault / FOLDER
    try:
        names = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise _unusable(folder, error.strerror or "") from error
    return [path for path in names if not path.name.endswith(PART)]


def _unusable(path: Path, why: str) -> VaultError:
    return VaultError(
        f"the legal hold {path} cannot be used: {why}",
        hint="nothing is deleted until that is settled: put it again with `sealshot vault hold`, "
        "or delete it",
    )
