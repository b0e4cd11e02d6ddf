"""Writing files so that a reader sees the old content or the new, never a part."""

from __future__ import annotations

import errno
import logging
import os
import stat
from functools import cache
from pathlib import Path
from typing import BinaryIO

from sealshot.runtime.errors import InputError, SealshotError

PART = ".part"
WRITE_ELSEWHERE = "choose a folder that exists, with space, and that you may write to"
_WRONG_PATH = frozenset(
    (
        errno.ENOENT,
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EEXIST,
        errno.ELOOP,
        errno.ENAMETOOLONG,
    )
)

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))

logger = logging.getLogger(__name__)


def in_folder(base: Path, path: str) -> Path:
    """Return a path that stands in a file whose folder is ``base``; ``~`` is somebody's home.

    Raises:
        InputError: nobody of that name has a home.
    """
    try:
        return base / Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"there is no home for {path}", hint="write the whole path") from None


def is_full(error: Exception) -> bool:
    """Return whether an error, or the OSError that it comes from, says that a disk has no room."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and cause.errno in _NO_ROOM


def write_atomic(path: Path, data: bytes, *, mode: int = 0o666, time_s: int | None = None) -> None:
    """Write ``data`` to ``path`` through ``path.part``: O_EXCL, fsync, rename, fsync of the folder.

    With ``time_s`` (Unix time) the file says that it was written then. Raises OSError that names a
    file; no ``.part`` is left behind, and an existing ``path`` is kept on failure.
    """
    part = path.with_name(path.name + PART)
    try:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:  # left by a run that was killed
        part.unlink()
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as out:
            out.write(data)
            out.flush()
            if time_s is not None:
                os.utime(out.fileno(), (time_s, time_s))
            os.fsync(out.fileno())
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)
        raise
    fsync_folder(path.parent)


def write_new(path: Path, text: str, *, mode: int, what: str = "the file") -> None:
    """Write a file, called ``what`` in errors, that is not there yet, durably, or leave none.

    Raises:
        InputError: it exists, or there is no such place to write to.
        SealshotError: the disk is full or broken.
    """
    try:
        # Not through .part: its rename would overwrite a file that came up meanwhile.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            fsync_folder(path.parent)
        except BaseException:
            path.unlink()
            raise
    except FileExistsError:
        raise InputError(
            f"{path} exists and is not overwritten", hint="choose another file name"
        ) from None
    except OSError as error:
        raise file_error(f"cannot write {what} {path}", error, WRITE_ELSEWHERE) from None


def read_regular(path: Path, limit: int, *, follow: bool = False) -> bytes:
    """Read a regular file of at most ``limit`` bytes, under its own name unless ``follow``.

    Raises OSError: also for what would hang (a FIFO), lead elsewhere (a symbolic link), or fill the
    memory (a sparse terabyte).
    """
    with _open_regular(path, follow=follow) as file:
        if os.fstat(file.fileno()).st_size > limit:
            raise OSError(errno.EFBIG, f"it is larger than {limit:,} bytes")
        return file.read(limit)


def read_given(path: Path, limit: int) -> bytes:
    """Read a regular file, or what a shell gives under /dev (``<(COMMAND)``); OSError as above."""
    if path.is_relative_to("/dev"):
        with path.open("rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise OSError(errno.EFBIG, f"it is larger than {limit:,} bytes")
        return data
    return read_regular(path, limit, follow=True)


def read_head(path: Path, size: int) -> bytes:
    """Read the first ``size`` bytes of a regular file, under its own name; OSError as above."""
    with _open_regular(path) as file:
        return file.read(size)


def _open_regular(path: Path, *, follow: bool = False) -> BinaryIO:
    links = 0 if follow else os.O_NOFOLLOW
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | links), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no regular file")
    return file


def make_folder(folder: Path, hint: str) -> None:
    """Make a folder that a user named, with its parents, if it is not there.

    Raises:
        InputError: it cannot be made; ``hint`` says what to do.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise file_error(f"the folder {folder} cannot be made", error, hint) from error


def make_private(folder: Path, mode: int) -> None:
    """Make a folder, durably, that others may read only if ``mode`` says so.

    Raises:
        InputError: it cannot be made.
    """
    try:
        make_durable_folder(folder.parent)
        folder.mkdir(mode=mode, exist_ok=True)
        fsync_folder(folder.parent)
    except OSError as error:
        raise file_error(f"the folder {folder} cannot be made", error, "choose another") from error


def make_durable_folder(path: Path) -> None:
    """Make a folder, with its parents, durably; raises OSError."""
    if path.is_dir():
        return
    if path.parent != path:
        make_durable_folder(path.parent)
    path.mkdir(exist_ok=True)
    fsync_folder(path.parent)


def cache_folder(part: str = "") -> Path:
    """Return a folder of the cache: :func:`sealshot.kernels.cache_folder.cache_folder`.

    Raises:
        InputError: this user has none.
    """
    # here, because the kernels' package takes as long to load as all that most commands need
    from sealshot.kernels import cache_folder as of_user
    from sealshot.kernels.errors import NoCacheError

    try:
        return of_user.cache_folder(part)
    except NoCacheError as error:
        raise InputError(error.fact, hint=error.hint) from None


def fsync_folder(path: Path) -> None:
    """Make the renames and unlinks in a folder durable, where its file system can.

    Some (CIFS, several FUSE) answer EINVAL for each folder: that is told once, and taken.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
        _tell_not_durable(os.fstat(fd).st_dev, path)
    finally:
        os.close(fd)


def file_error(fact: str, error: OSError, hint: str) -> SealshotError:
    """Return what is to be raised for a file or folder that could not be made or written.

    A path that cannot be is the user's to mend, exit code 2; a full or broken disk is no wrong
    input, exit code 1.
    """
    kind = InputError if error.errno in _WRONG_PATH else SealshotError
    return kind(f"{fact}: {error.strerror}", hint)


@cache
def _tell_not_durable(_device: int, path: Path) -> None:
    logger.warning(
        "the file system of %s cannot make a folder durable (fsync: EINVAL): after a power cut "
        "the newest files there may be missing",
        path,
    )
