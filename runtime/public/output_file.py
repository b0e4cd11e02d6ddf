"""A file that FFmpeg writes through Python, so that nothing that goes wrong is lost."""

from __future__ import annotations

import os
from pathlib import Path


class OutputFile:
    """What FFmpeg writes to. It remembers what went wrong: FFmpeg forgets that where it closes."""

    def __init__(self, path: Path, mode: int) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        path.unlink(missing_ok=True)  # left by a run that was killed
        self._file = os.fdopen(os.open(path, flags, mode), "w+b", buffering=0)
        self.failure: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write all of it; what fails is remembered."""
        whole, view = len(data), memoryview(data)
        try:
            while len(view):
                view = view[self._file.write(view) :]
        except OSError as error:
            self.failure = self.failure or error
        return whole

    def seek(self, offset: int, whence: int = 0) -> int:
        """As a file's."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file's."""
        return self._file.tell()

    def finish(self) -> None:
        """Make what was written durable, and close it.

        Raises:
            OSError: something could not be written, now or earlier.
        """
        if self.failure is not None:
            raise self.failure
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Close it; a second call does nothing."""
        self._file.close()
