"""What of which recording is sealed: a second run, and one after a kill, seal nothing twice.

    vault/.footage       lines: seal RECORDING NUMBER ID    before a shot is stored
                                done RECORDING              when all its shots are

A recording is named by its SHA-256, see `recordings.py`; nothing here says what is on it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from sealshot.runtime.errors import InputError, VaultError
from sealshot.runtime.footage.recordings import Recording

JOURNAL = ".footage"


class Journal:
    """The journal of one vault; one run at a time has it.

    Raises:
        InputError: another run has it.
        VaultError: it cannot be read or written.
    """

    def __init__(self, vault: Path) -> None:
        self._path = vault / JOURNAL
        try:
            vault.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise self._error(error) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise InputError(
                f"another run brings footage into {vault}",
                hint="wait for it, or give another --vault",
            ) from None
        self._done: set[str] = set()
        self._begun: dict[str, dict[int, str]] = {}
        self._read()

    def _read(self) -> None:
        try:
            data = self._path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):  # torn by a power cut
                os.ftruncate(self._fd, whole)
        except OSError as error:
            raise self._error(error) from error
        for line in data[:whole].decode(errors="replace").splitlines():
            match line.split(" "):
                case ["done", recording]:
                    self._done.add(recording)
                    self._begun.pop(recording, None)
                case ["seal", recording, number, object_id] if number.isdecimal():
                    self._begun.setdefault(recording, {})[int(number)] = object_id

    def is_done(self, recording: Recording) -> bool:
        """Whether all people on a recording have their sealed shot."""
        return recording.id in self._done

    def seal(
        self,
        recording: Recording,
        number: int,
        object_id: str,
        is_there: Callable[[str], bool],
    ) -> bool:
        """Note that a shot is about to be sealed; False where an earlier run has sealed it.

        Args:
            recording: whose.
            number: of the shot, from 0 on.
            object_id: the name that it would get.
            is_there: whether the vault has, or had, a shot of a name.

        Raises:
            VaultError: it cannot be noted.
        """
        before = self._begun.get(recording.id, {}).get(number)
        if before is not None and is_there(before):
            return False
        self._append(f"seal {recording.id} {number} {object_id}\n")
        return True

    def finish(self, recording: Recording) -> None:
        """Note that all shots of a recording are sealed.

        Raises:
            VaultError: it cannot be noted.
        """
        self._append(f"done {recording.id}\n")
        self._done.add(recording.id)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    def _append(self, line: str) -> None:
        try:
            size = os.fstat(self._fd).st_size
            try:
                if os.write(self._fd, line.encode()) < len(line):
                    raise OSError(28, os.strerror(28))
                os.fsync(self._fd)
            except OSError:
                os.ftruncate(self._fd, size)
                raise
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> VaultError:
        return VaultError(
            f"cannot write to {self._path}: {error.strerror}", "check the folder and its free space"
        )
