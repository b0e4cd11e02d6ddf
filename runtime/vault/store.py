"""The vault: a folder of sealed objects, safe against crashes, on a plain file system.

    vault/2026-11-21/5f0c...e1.sealed  one folder an epoch (a UTC day or hour), one file a shot
    vault/.lock                        locked while a run writes
    vault/log, vault/.upload, ...      what belongs to the other modules of the vault

A shot that is sealed to recipients, not under a policy, ends in ``.age``. Its name is 128 random
bits: it says nothing, and nobody can guess it. An object is whole or absent; once
:meth:`Vault.store` has returned, it survives a kill and a power cut.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from sealshot.runtime.errors import InputError, VaultError
from sealshot.runtime.files import (
    PART,
    fsync_folder,
    make_durable_folder,
    read_regular,
    write_atomic,
)
from sealshot.runtime.seal.times import EPOCH_PATTERN, epoch_of, utc_now

AGE, SEALED = ".age", ".sealed"
SUFFIXES = (AGE, SEALED)
LOCK = ".lock"
OBJECT_LIMIT = 1024 * 1024 * 1024  # bytes; far above a shot with a long clip

_NAME = r"[0-9a-f]{32}\.(?:age|sealed)"
_EPOCH = re.compile(EPOCH_PATTERN, re.ASCII)
OBJECT_ID = re.compile(f"{EPOCH_PATTERN}/{_NAME}", re.ASCII)
_PART_ID = re.compile(f"{EPOCH_PATTERN}/{_NAME}{re.escape(PART)}", re.ASCII)

_HINTS = {
    errno.ENOSPC: "free some space, or give another folder; what was sealed before is kept",
    errno.EDQUOT: "raise the quota, or give another folder; what was sealed before is kept",
    errno.EROFS: "mount its file system writable, or give another folder",
    errno.EACCES: "give this user the right to write there, or give another folder",
    errno.EPERM: "give this user the right to write there, or give another folder",
    errno.ENOTDIR: "give a folder",
    errno.EEXIST: "give a folder",
    errno.EIO: "check the storage device; what was sealed before is kept",
}


@dataclass(frozen=True, slots=True)
class VaultObject:
    """What can be told of a sealed object without a key."""

    id: str
    """``<epoch>/<name>.sealed`` or ``.age``, relative to the vault."""
    path: Path
    bytes: int
    sealed_at: datetime
    """UTC: the hour in which its file was written, all that the outside tells."""

    @property
    def epoch(self) -> str:
        """The UTC day or hour whose folder it is in."""
        return self.id.partition("/")[0]


class Vault:
    """A vault to write to. Several runs may write to one vault at a time.

    Raises:
        InputError: it names something else than a folder.
        VaultError: the folder cannot be made or written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _check_folder(path)
        try:
            make_durable_folder(path)
            self._lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                self._clean()
            except BaseException:
                os.close(self._lock)
                raise
        except OSError as error:
            raise _vault_error(path, error) from error

    def _clean(self) -> None:
        """Delete what a killed run left behind, unless another run may be writing now."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # the other run's own files look the same; the next run that is alone cleans up
        else:
            self._sweep(lambda _: True)
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def store(
        self,
        sealed: bytes,
        replaces: str | None = None,
        *,
        name: str | None = None,
        stored: Callable[[str], None] = lambda _: None,
    ) -> str:
        """Store a sealed object durably and return its id.

        Args:
            sealed: the object.
            replaces: id of an older object to delete, once this one is durable. A crash between
                the two leaves both.
            name: ``<epoch>/<32 hexadecimal digits>.sealed``; else a random one of this day.
            stored: called with the id between the two.

        Raises:
            VaultError: it could not be stored. What was stored before is kept.
        """
        if replaces is not None and not OBJECT_ID.fullmatch(replaces):
            raise ValueError("'replaces' is not the id of an object")
        object_id = name or f"{epoch_of(utc_now(), 'day')}/{secrets.token_hex(16)}{AGE}"
        if not OBJECT_ID.fullmatch(object_id):
            raise ValueError("'name' is not the id of an object")
        path = self.path / object_id
        try:
            make_durable_folder(path.parent)
            write_atomic(path, sealed, time_s=int(time.time()) // 3600 * 3600)  # the hour alone
        except OSError as error:
            raise _vault_error(self.path, error) from error
        stored(object_id)
        if replaces is not None:
            self.delete(replaces)  # it may have been uploaded and purged
        return object_id

    def delete(self, *object_ids: str) -> list[str]:
        """Delete objects durably; return those that were there: to be gone already is no error.

        Raises:
            VaultError: one could not be deleted; those before it are.
        """
        if not all(OBJECT_ID.fullmatch(object_id) for object_id in object_ids):
            raise ValueError("it is not the id of an object")
        deleted = []
        try:
            for object_id in object_ids:
                try:
                    (self.path / object_id).unlink()
                except (FileNotFoundError, NotADirectoryError):
                    continue
                deleted.append(object_id)
            for folder in {(self.path / object_id).parent for object_id in deleted}:
                fsync_folder(folder)
        except OSError as error:
            raise _vault_error(self.path, error) from error
        return deleted

    def sweep(self, is_over: Callable[[str], bool]) -> None:
        """Delete the empty folders of the epochs that are over, and what was half-written there.

        Raises:
            VaultError: one could not be deleted.
        """
        try:
            self._sweep(is_over)
        except OSError as error:
            raise _vault_error(self.path, error) from error

    def _sweep(self, is_over: Callable[[str], bool]) -> None:
        for folder in list(self.path.iterdir()):
            if not (_EPOCH.fullmatch(folder.name) and folder.is_dir() and is_over(folder.name)):
                continue
            with suppress(FileNotFoundError):  # another run sweeps, too
                for part in folder.glob(f"*{PART}"):
                    if _PART_ID.fullmatch(_id(part)):
                        part.unlink()
                if not any(folder.iterdir()):  # what is not ours stays, and its folder too
                    folder.rmdir()
                    fsync_folder(self.path)

    def close(self) -> None:
        """Let go of the vault."""
        os.close(self._lock)

    def __enter__(self) -> Vault:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def list_objects(path: Path) -> list[VaultObject]:
    """Return the objects of a vault, oldest first; it needs the right to read only.

    Raises:
        InputError: there is no such folder, or it cannot be read.
    """
    objects = []
    try:
        for entry in path.iterdir():
            if not _EPOCH.fullmatch(entry.name) or not entry.is_dir():
                continue
            with suppress(FileNotFoundError):  # a run purges meanwhile
                for file in entry.iterdir():
                    if OBJECT_ID.fullmatch(_id(file)):
                        objects.append(_describe(file))
    except OSError as error:
        raise InputError(
            f"cannot read the vault {path}: {error.strerror}", hint="check the path"
        ) from error
    return sorted(objects, key=lambda o: (o.sealed_at, o.id))


def read_object(path: Path, object_id: str) -> bytes:
    """Return the bytes of an object of a vault; raises OSError."""
    return read_regular(path / object_id, OBJECT_LIMIT)


def _describe(file: Path) -> VaultObject:
    status = file.lstat()
    time = datetime.fromtimestamp(status.st_mtime, timezone.utc)
    return VaultObject(_id(file), file, status.st_size, time)


def _id(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _check_folder(path: Path) -> None:
    for part in (path, *path.parents):
        if os.path.lexists(part) and not part.is_dir():
            raise InputError(
                f"{part} is not a folder, so the vault {path} cannot be made", "give another"
            )


def _vault_error(path: Path, error: OSError) -> VaultError:
    hint = _HINTS.get(error.errno or 0, "check the folder and its storage device")
    return VaultError(f"cannot write to the vault {path}: {os.strerror(error.errno or 0)}", hint)
