"""Backups of a custodian's keys that die on their day, as the keys do.

backup/2026-11-21_2026-11-21.age                          the key of an epoch, and by which it opens
backup/holds/<warrant>/2027-03-01T00:00:00Z_2026-12-04.age    that of a case
backup/holds/<warrant>/<shot>.age                         what a case keeps, as it is

Each is sealed to a key of a second custodian: of those that it published the one that dies last,
and no later than what is backed up. When the second custodian destroys it, as any custodian does,
the backup is closed for ever, wherever copies of it lie. The first custodian signs each, so that
nobody lays in a key of their own.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sealshot.runtime.age import age
from sealshot.runtime.errors import SealError
from sealshot.runtime.files import file_error, make_private, read_regular
from sealshot.runtime.seal.documents import Document, named, parse_document, read_file, write_file
from sealshot.runtime.seal.epochs import KEY_SUFFIX, EpochKey, EpochKeys, end_of_key
from sealshot.runtime.seal.fields import Check, is_sha256
from sealshot.runtime.seal.keys import KEY_FILE_LIMIT, PrivateKey, identities_in, read_identities
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.signing import SigningKey, VerifyKey
from sealshot.runtime.seal.times import (
    epoch_start,
    format_time,
    is_epoch,
    is_time,
    next_epochs,
    parse_time,
)

logger = logging.getLogger(__name__)

KIND = "sealshot/key-backup/1"
BACKUP_LIMIT = 256 * 1024
SUFFIX, CASES = ".age", "holds"


@dataclass(frozen=True, slots=True)
class Kept:
    """A key of a custodian: of an epoch, or of a case."""

    epoch: str
    """Empty of a case."""
    warrant: str
    """Of the case; empty of an epoch."""
    end: datetime
    """When it is destroyed."""
    path: Path

    @property
    def name(self) -> str:
        """What its file is called, without the suffix."""
        return self.epoch or format_time(self.end)

    @property
    def what(self) -> str:
        """What it is, in words."""
        return f"epoch {self.epoch}" if self.epoch else f"the case of warrant {self.warrant}"


def kept_keys(secrets: Path, holds: Path, policy: Policy) -> list[Kept]:
    """Return the keys of a custodian's folder."""
    epochs = [path for path in sorted(secrets.glob("*" + KEY_SUFFIX)) if is_epoch(path.stem)]
    cases = [path for path in sorted(holds.glob("*/*" + KEY_SUFFIX)) if is_time(path.stem)]
    return [
        *(Kept(path.stem, "", end_of_key(path, policy), path) for path in epochs),
        *(Kept("", path.parent.name, parse_time(path.stem), path) for path in cases),
    ]


def published_until(keys: EpochKeys, now: datetime, ahead: timedelta) -> list[EpochKey]:
    """Return the living keys that a second custodian has published.

    Each is asked for by itself, but for those that ``keys`` has kept, and for what is further ahead
    than two in a row that are not there. One that cannot be trusted is told and left: the others
    are as good.

    Raises:
        SealError: none that is there is signed by that custodian.
    """
    before = keys.policy.retention_time + timedelta(days=2)  # of the oldest that may live
    epochs = next_epochs(now - before, keys.policy.epoch, before + ahead)
    found, wrong = [], []
    missed = 0
    for epoch in epochs:
        try:
            found.append(keys.get(epoch))
        except SealError as error:
            wrong.append(error)
            continue
        missed = missed + 1 if found[-1] is None and epoch_start(epoch) > now else 0
        if missed == 2:
            break
    living = [key for key in found if key is not None and key.destroy_at > now]
    if wrong and not living:
        raise wrong[0]
    for one in wrong:
        logger.warning("%s (hint: %s)", one.fact, one.hint)
    return living


def back_up(kept: Kept, second: Iterable[EpochKey], key: SigningKey, folder: Path) -> Path | None:
    """Write the backup of a key; None where the second custodian has none that dies by its end.

    Raises:
        SealError: it is damaged.
        SealshotError: it cannot be written.
    """
    fit = [one for one in second if one.destroy_at <= kept.end]
    if not fit:
        return None
    data = read_file(kept.path, "key", KEY_FILE_LIMIT)
    try:
        identities_in(data, str(kept.path))
        text = data.decode("ascii")
    except (SealError, ValueError) as error:
        raise SealError("it is damaged", hint=f"put {kept.path} back from a backup") from error
    by = max(fit, key=lambda one: (one.destroy_at, one.epoch))
    body = {
        "epoch": kept.epoch,
        "warrant": kept.warrant,
        "until": format_time(kept.end),
        "key": text,
    }
    sealed = age.encrypt(Document(KIND, body).signed(key).encode(), [by.recipient])
    place = folder / CASES / kept.warrant if kept.warrant else folder
    make_private(place, 0o700)
    path = place / f"{kept.name}_{by.epoch}{SUFFIX}"
    write_file(path, sealed, mode=0o600)
    for shot in kept.path.parent.glob("*" + SUFFIX) if kept.warrant else ():
        if not (place / shot.name).exists():
            write_file(place / shot.name, shot.read_bytes(), mode=0o600)
    return path


def backups_of(kept: Kept, folder: Path) -> list[Path]:
    """Return the files that a backup has of a key."""
    place = folder / CASES / kept.warrant if kept.warrant else folder
    return [path for path in _sealed_in(folder) if _key_of(path) == place / kept.name]


def prune(folder: Path, living: Collection[Kept], written: Collection[Path]) -> None:
    """Delete from a backup what is of keys that are gone, or was sealed anew.

    Raises:
        SealshotError: something cannot be deleted.
    """
    there, anew = set(written), {_key_of(path) for path in written}
    wanted = {path for kept in living for path in backups_of(kept, folder)}
    cases = {folder / CASES / kept.warrant for kept in living}
    try:
        for path in _sealed_in(folder):
            if path not in wanted or (path not in there and _key_of(path) in anew):
                path.unlink()
        for case in (folder / CASES).glob("*"):
            if case not in cases and is_sha256(case.name):
                shutil.rmtree(case)
    except OSError as error:
        raise file_error(f"cannot delete from {folder}", error, "check the folder") from error


@dataclass(frozen=True, slots=True)
class Restored:
    """A key out of a backup."""

    kept: Kept
    text: str
    """Its file."""


def open_backup(
    folder: Path, second: Path, policy: Policy, new: VerifyKey, now: datetime
) -> Iterator[Restored | SealError]:
    """Open what the keys of a second custodian open, and that is not over its time.

    Yields what is wrong with a file, too: it is no backup, or not signed by a custodian of the
    policy. Whoever keeps a backup could keep all of it back by one such file.

    Args:
        folder: the backup.
        second: the folder with its secrets.
        policy: whose custodian, of this version or one before, has signed.
        new: the signing key of the custodian who gets what is in it.
        now: the time.
    """
    for path in _sealed_in(folder):
        secret = second / (path.stem.rpartition("_")[2] + KEY_SUFFIX)
        if not secret.exists() or end_of_key(secret, policy) <= now:
            continue
        [identity] = read_identities(str(secret))
        try:
            with named(path):
                restored = _open(path, identity, policy, new)
        except SealError as error:
            yield error
            continue
        if restored.kept.end > now:
            yield restored


def put_back(restored: Restored, secrets: Path, holds: Path) -> bool:
    """Put a key where a custodian keeps it; whether it was not there.

    Raises:
        SealError: another key is there.
        SealshotError: it cannot be written.
    """
    kept, data = restored.kept, restored.text.encode()
    place = holds / kept.warrant if kept.warrant else secrets
    make_private(place, 0o700)
    path = place / (kept.name + KEY_SUFFIX)
    if path.exists():
        if read_file(path, "key", KEY_FILE_LIMIT) != data:
            raise SealError(
                f"{path} is another key than that of the backup",
                hint="restore into a folder of its own, as `sealshot custodian new` makes it",
            )
        return False
    for shot in kept.path.parent.glob("*" + SUFFIX) if kept.warrant else ():
        if "_" not in shot.name:
            write_file(place / shot.name, _read(shot), mode=0o600)
    write_file(path, data, mode=0o600)  # last: what it opens is there by then
    return True


def _open(path: Path, identity: PrivateKey, policy: Policy, new: VerifyKey) -> Restored:
    document = parse_document(age.decrypt(_read(path), [identity]), KIND, _CHECKS)
    body = document.body
    epoch, warrant = body["epoch"], body["warrant"]
    signers = [policy.party_of(key) for key in document.signers()]
    if len(signers) != 1 or not _could_make(signers[0], epoch, policy, new):
        raise SealError(
            "it is not signed by a custodian of the policy in its time",
            hint="check where it came from",
        )
    kept = Kept(epoch, warrant, parse_time(body["until"]), path)
    is_case = path.parent.parent.name == CASES and path.parent.name == warrant
    if (not is_case if warrant else not epoch) or _key_of(path).name != kept.name:
        raise SealError("it is of another key than its name says", hint="it was renamed")
    identities_in(body["key"].encode(), path.name)
    return Restored(kept, body["key"])


def _could_make(signer: Party | None, epoch: str, policy: Policy, new: VerifyKey) -> bool:
    """Whether a custodian could make the key of an epoch, or of a case.

    Whoever stole the signing key of a former one can sign, too: not for epochs that began when
    another than the new one, which gets them now, had taken its place.
    """
    replaced = None  # when
    for version in policy.versions:
        if version.custodian == signer:
            return replaced is None or not epoch or epoch_start(epoch) <= replaced
        if version.custodian.verify_key != new:
            replaced = version.since
    return False


def _read(path: Path) -> bytes:
    """Read a file of a backup: whoever keeps it is not trusted."""
    try:
        return read_regular(path, BACKUP_LIMIT)
    except OSError as error:
        raise SealError(f"cannot read {path}: {error.strerror}", hint="check the backup") from None


def _key_of(path: Path) -> Path:
    """Return what a file of a backup is of: its name without the epoch that it is sealed to."""
    return path.with_name(path.stem.rpartition("_")[0])


def _sealed_in(folder: Path) -> list[Path]:
    """Return the files of a backup that hold a key."""
    files = [*sorted(folder.glob("*" + SUFFIX)), *sorted(folder.glob(f"{CASES}/*/*{SUFFIX}"))]
    return [path for path in files if is_epoch(path.stem.rpartition("_")[2])]


_CHECKS: dict[str, Check] = {
    "epoch": lambda value: value == "" or is_epoch(value),
    "warrant": lambda value: value == "" or is_sha256(value),
    "until": is_time,
    "key": lambda value: isinstance(value, str) and value.isascii() and len(value) < KEY_FILE_LIMIT,
}
