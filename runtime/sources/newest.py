"""The newest picture of a camera that is parsed apart: the pixels of no other are made."""

from __future__ import annotations

from sealshot.runtime.sources.reader import Coming, Picture
from sealshot.runtime.sources.sandboxed import Sandboxed


class Newest:
    """A :class:`CameraReader` of what reads a stream: all is decoded, and little given."""

    def __init__(self, media: Sandboxed) -> None:
        """Take over what reads a stream, of which no picture was read; :meth:`close` closes it."""
        self._media = media
        self.fps, self.frames = media.fps, media.frames
        self.end_s, self.created = media.end_s, media.created
        media.keep_newest()

    @property
    def damaged(self) -> int:
        """As :attr:`Facts.damaged`."""
        return self._media.damaged

    @property
    def moves(self) -> bool:
        """As :attr:`Facts.moves`."""
        return self._media.moves

    def read(self) -> Picture | Coming | None:
        """Return what is next; see :meth:`Sandboxed.hear`."""
        return self._media.hear()

    def interrupt(self) -> None:
        """Let a read that waits in another thread end."""
        self._media.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self._media.close()
