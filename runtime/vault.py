"""The vault: a folder of sealed objects, safe against crashes, on a plain file system.

    vault/2026-11-21/5f0c...e1.sealed  one folder an epoch (a UTC day or hour), one file a shot
    vault/.lock                        held while a run writes

A shot that is sealed to recipients, not under a policy, ends in ``.age``. Its name is 128 random
bits: it says nothing, and nobody can guess it. An object is whole or absent; once :meth:`Vault.put`
has returned, it survives a kill and a power cut.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from sealshot.runtime.errors import InputError, VaultError
from sealshot.runtime.files import PART, fsync_folder, write_atomic
from sealshot.runtime.seal.times import EPOCH_PATTERN, epoch_of, utc_now

AGE, SEALED = ".age", ".sealed"
SUFFIXES = (AGE, SEALED)
LOCK = ".lock"

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
    """UTC: when its file was written."""

    @property
    def epoch(self) -> str:
        """The UTC day or hour whose folder it is in."""
        return self.id.partition("/")[0]


class Vault:
    """A vault to write to. Several runs may write to one vault at a time.

    Raises:
        VaultError: the folder cannot be made or written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            _make_folder(path)
            self._lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                self._clean()
            except BaseException:
                os.close(self._lock)
                raise
        except OSError as error:
            raise _vault_error(path, error) from error

    def _clean(self) -> None:
        """Delete what a killed run left half-written, unless another run may be writing now."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # the other run's own files look the same; the next run that is alone cleans up
        else:
            for path in self.path.glob(f"*/*{PART}"):
                if _PART_ID.fullmatch(_id(path)):
                    path.unlink()
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def put(self, sealed: bytes, replaces: str | None = None, *, name: str | None = None) -> str:
        """Store a sealed object durably and return its id.

        Args:
            sealed: the object.
            replaces: id of an older object to delete, once this one is durable. A crash between
                the two leaves both.
            name: ``<epoch>/<32 hexadecimal digits>.sealed``; else a random one of this day.

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
            _make_folder(path.parent)
            write_atomic(path, sealed)
            if replaces is not None:
                old = self.path / replaces
                old.unlink(missing_ok=True)  # it may have been uploaded and purged
                fsync_folder(old.parent)
        except OSError as error:
            raise _vault_error(self.path, error) from error
        return object_id

    def delete(self, object_id: str) -> None:
        """Delete an object durably; one that is gone already is no error.

        Raises:
            VaultError: it could not be deleted.
        """
        if not OBJECT_ID.fullmatch(object_id):
            raise ValueError("it is not the id of an object")
        path = self.path / object_id
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                fsync_folder(path.parent)
        except OSError as error:
            raise _vault_error(self.path, error) from error

    def purge(self, is_over: Callable[[str], bool]) -> list[VaultObject]:
        """Delete all objects of the epochs that are over, and their folders; return them.

        Raises:
            VaultError: one could not be deleted; those before it are.
        """
        purged = [found for found in list_objects(self.path) if is_over(found.epoch)]
        try:
            for found in purged:
                found.path.unlink(missing_ok=True)
            for folder in list(self.path.iterdir()):
                if folder.is_dir() and _EPOCH.fullmatch(folder.name) and is_over(folder.name):
                    for part in folder.glob(f"*{PART}"):
                        if _PART_ID.fullmatch(_id(part)):
                            part.unlink()
                    fsync_folder(folder)
                    if not any(folder.iterdir()):  # what is not ours stays, and its folder too
                        folder.rmdir()
            fsync_folder(self.path)
        except OSError as error:
            raise _vault_error(self.path, error) from error
        return purged

    def close(self) -> None:
        """Let go of the vault."""
        os.close(self._lock)

    def __enter__(self) -> Vault:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def list_objects(path: Path) -> list[VaultObject]:
    """Return the objects of a vault, oldest first; it needs the right to read only.

    Raises:
        InputError: there is no such folder, or it cannot be read.
    """
    objects = []
    try:
        for entry in path.iterdir():
            if not entry.is_dir():
                continue
            for file in entry.iterdir():
                if OBJECT_ID.fullmatch(_id(file)):
                    status = file.stat()
                    time = datetime.fromtimestamp(status.st_mtime, timezone.utc)
                    objects.append(VaultObject(_id(file), file, status.st_size, time))
    except OSError as error:
        raise InputError(
            f"cannot read the vault {path}: {error.strerror}", hint="check the path"
        ) from error
    return sorted(objects, key=lambda o: (o.sealed_at, o.id))


def _id(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _make_folder(path: Path) -> None:
    """Make a folder, with its parents, durably."""
    if path.is_dir():
        return
    if path.parent != path:
        _make_folder(path.parent)
    path.mkdir(exist_ok=True)
    fsync_folder(path.parent)


def _vault_error(path: Path, error: OSError) -> VaultError:
    hint = _HINTS.get(error.errno or 0, "check the folder and its storage device")
    return VaultError(f"cannot write to the vault {path}: {os.strerror(error.errno or 0)}", hint)
