"""The public stream of a camera of a service: a file an hour, and no shot is lost for its sake."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import PART, make_folder
from sealshot.runtime.pipeline.sinks import Beat, End, Seen, Sink
from sealshot.runtime.public.restore import messages_in_packets
from sealshot.runtime.public.sink import PublicSink
from sealshot.runtime.seal.times import format_time

logger = logging.getLogger(__name__)

SUFFIX = ".mkv"
"""What was written of one is read although its end is missing."""
AGAIN_S = 60.0
"""After so long a stream that failed is begun again."""


class PublicFolder:
    """The files of one stream, called by when they begin.

    Args:
        path: of the folder.
        quota_bytes: what they may take; None sets no bound.
    """

    def __init__(self, path: Path, quota_bytes: int | None) -> None:
        self._path, self._quota_bytes = path, quota_bytes

    def begin(self) -> None:
        """Make the folder; what a service that was killed has left there gets its name.

        Raises:
            InputError: there is no such place.
        """
        make_folder(self._path, "name another folder")
        for left in self._path.glob(f"*{SUFFIX}{PART}"):
            if _has_a_picture(left):
                left.replace(left.with_suffix(""))
            else:
                left.unlink()

    def file(self, begins: datetime) -> Path:
        """Return where a file goes that begins now, and make room for it: the oldest ones go."""
        files = sorted(self._path.glob(f"*{SUFFIX}"))
        sizes = [file.stat().st_size for file in files]
        while self._quota_bytes is not None and sum(sizes) > self._quota_bytes:
            logger.info("the quota of the public stream: %s goes", files[0])
            files.pop(0).unlink()
            sizes.pop(0)
        stem = format_time(begins).replace(":", "-")
        names = (f"{stem}{f'_{n}' if n else ''}{SUFFIX}" for n in itertools.count())
        return next(path for name in names if not (path := self._path / name).exists())


class Public(Sink):
    """Gives what is seen to the public stream, over all the watches of a camera.

    One that fails, as on a full disk, ends no watch: it is begun again a minute later.
    """

    def __init__(self) -> None:
        self._make: Callable[[], PublicSink] | None = None
        self._sink: PublicSink | None = None
        self._before = 0
        self._again_at = 0.0
        self.problem = ""
        """Why there is no stream at present; empty where there is one, or none is wanted."""

    def begin(self, make: Callable[[], PublicSink]) -> None:
        """Take that a new watch begins, and what makes its stream."""
        self._make, self._again_at = make, 0.0

    @property
    def pictures(self) -> int:
        """How many were written since the service started."""
        return self._before + (self._sink.pictures if self._sink else 0)

    def seen(self, seen: Seen) -> None:
        """Take a frame."""
        if self._sink is None and time.monotonic() >= self._again_at:
            self._do(self._start)
        self._give(lambda sink: sink.seen(seen))

    def beat(self, beat: Beat) -> None:
        """Take that time goes on."""
        self._give(lambda sink: sink.beat(beat))

    def end(self, end: End) -> None:
        """Finish the file."""
        self._give(lambda sink: sink.end(end))
        self._drop()

    def _start(self) -> None:
        if self._make is not None:
            self._sink, self.problem = self._make(), ""

    def _give(self, give: Callable[[PublicSink], None]) -> None:
        if (sink := self._sink) is not None:
            self._do(lambda: give(sink))

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except SealshotError as error:
            self.problem, self._again_at = error.fact, time.monotonic() + AGAIN_S
            if self._sink is not None:
                with suppress(SealshotError):
                    self._sink.end(End((), (), 0, interrupted=True, failure=error))
            self._drop()

    def _drop(self) -> None:
        self._before, self._sink = self.pictures, None


def _has_a_picture(file: Path) -> bool:
    try:
        return next(messages_in_packets(file), None) is not None
    except InputError:
        return False
