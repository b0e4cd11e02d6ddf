"""A stream that is parsed by a process of its own, which is not believed: what it says is checked.

What it is, and what it may do, stands in :mod:`sealshot.runtime.sandbox`.
"""

from __future__ import annotations

import errno
import fcntl
import importlib.util
import logging
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from sealshot.runtime.sandbox.messages import (
    CREDIT,
    MOST,
    ROOM,
    Broken,
    Ended,
    Guards,
    Message,
    MessageError,
    Need,
    Opened,
    Refused,
    Request,
    Shown,
    text,
    unpack,
)
from sealshot.runtime.sandbox.shape import Turn
from sealshot.runtime.sources.reader import NoVideoError, Picture
from sealshot.runtime.sources.turned import turned
from sealshot.runtime.standard_streams import fill_standard_streams
from sealshot.runtime.types import Image

logger = logging.getLogger(__name__)

PATIENCE_S = 30.0
"""Longest silence of the process that reads an address, above what it may wait itself."""
CLOSE_S = 2.0
"""How long it may take to end."""
LARGEST = 1 << 30
"""Bytes of a picture, decoded planes included."""
SLOWEST_FPS, FASTEST_FPS = 1e-6, 240.0
LATEST_S = 1e12
"""Stamps beyond it are none: thirty thousand years."""
PAGE = mmap.PAGESIZE
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL if hasattr(fcntl, "F_SEAL_SHRINK") else 1 | 2
ADD_SEALS = getattr(fcntl, "F_ADD_SEALS", 1033)
GET_SEALS = ADD_SEALS + 1
LASTING = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOSYS)
UNIX_0 = datetime(1970, 1, 1, tzinfo=timezone.utc)
ROOM_HINT = (
    "let this user have more processes, open files or memory; `sealshot run --no-sandbox`, and "
    "sandbox = false in cameras.toml, read in the process that holds the keys"
)

BOOT = "import sys; sys.path += sys.argv[3:]; from sealshot.runtime.sandbox.child import main; "
BOOT += "main(int(sys.argv[1]), int(sys.argv[2]))"


class Sandboxed:
    """Reads a file or an address by a process of its own."""

    def __init__(self, request: Request, descriptors: tuple[int, ...] = ()) -> None:
        """Start the process and let it open what is asked for.

        Args:
            request: what to open, and how.
            descriptors: that it shall have, too.

        Raises:
            NoVideoError: it cannot be opened, has no video, or no such process can be started.
        """
        self.damaged, self.moves = 0, False
        self._told = self._over = False
        self._room = 0
        self._map: mmap.mmap | None = None
        self._pixels = np.empty(0, np.uint8)
        self._memory = -1
        try:
            fill_standard_streams()
            self._memory = os.memfd_create("pictures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            # a file that shrinks under a mapping kills whoever reads it
            fcntl.fcntl(self._memory, ADD_SEALS, SEALS)
            self._line, line = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with line:
                self._process = start(line.fileno(), self._memory, descriptors)
        except OSError as error:
            if self._memory >= 0:
                os.close(self._memory)
            why = f"the process that would parse it does not start: {error.strerror}"
            lasting = error.errno in LASTING
            raise NoVideoError(why, ROOM_HINT, lasting=lasting, ours=True) from None
        if request.network:  # what reads a file may wait for a slow disk
            self._line.settimeout(PATIENCE_S + sum(request.timeouts_s) + (request.every_s or 0.0))
        try:
            self._open(request)
        except BaseException:
            self.close()
            raise

    def _open(self, request: Request) -> None:
        try:
            self._line.send(request.to_bytes())
        except OSError:
            raise self._death() from None
        guards = self._hear()
        if isinstance(guards, Guards):
            tell_of_guards(guards)
        said = self._hear()
        if isinstance(said, Refused):
            raise NoVideoError(
                text(said.why), text(said.hint), lasting=said.lasting, unread=said.unread
            )
        if not isinstance(guards, Guards) or not isinstance(said, Opened):
            raise self._nonsense()
        self.codec, self.ends, self.still = text(said.codec), said.ends, said.still
        self.fps = said.fps if SLOWEST_FPS < said.fps <= FASTEST_FPS else None
        self.frames = said.frames if said.frames >= 0 else None
        self.end_s = _stamp(said.end_s)
        self.created = _created(said.created)

    def read(self) -> Picture | None:
        """Return the next picture that can be decoded; None at the end and where a stream broke.

        Raises:
            NoVideoError: the process that parses it ended, or says what cannot be.
        """
        while not self._over:
            said = self._hear()
            if isinstance(said, Need):
                self._make_room(said.size)
            elif isinstance(said, Shown):
                return self._take(said)
            elif isinstance(said, Ended):
                self.damaged, self.moves, self._over = said.damaged, said.moves, True
            else:
                raise self._nonsense()
        return None

    def interrupt(self) -> None:
        """Let a read that waits in another thread end."""
        with suppress(OSError):  # it has ended
            self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let it close the file or the connection, and see it end."""
        self._over = True
        if self._line.fileno() < 0:
            return
        self.interrupt()
        self._line.close()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._memory)
        self._pixels = np.empty(0, np.uint8)
        self._map = None

    def _hear(self) -> Message:
        try:
            try:
                data = self._line.recv(MOST)
            except ConnectionResetError:  # it ended before it heard all; what it said is there yet
                data = self._line.recv(MOST)
            if not data:
                raise self._death()
            said = unpack(data)
        except TimeoutError:
            raise NoVideoError("the process that parses it hangs", ours=True) from None
        except OSError:
            raise self._death() from None
        except MessageError:
            raise self._nonsense() from None
        if isinstance(said, Broken):
            raise NoVideoError(f"a defect: {text(said.what)}", ours=True)
        return said

    def _make_room(self, size: int) -> None:
        """Let shared memory be of a size; what lay in it was copied out."""
        if not self._room < size <= LARGEST:
            raise NoVideoError(f"one of its pictures takes {size:,} bytes", lasting=True)
        self._room = -(-size // PAGE) * PAGE
        try:
            os.ftruncate(self._memory, self._room)
            self._map = mmap.mmap(self._memory, self._room, prot=mmap.PROT_READ)
        except OSError as error:
            why = f"there is no memory for its pictures of {size:,} bytes: {error.strerror}"
            raise NoVideoError(why, ROOM_HINT, ours=True) from None
        self._pixels = np.frombuffer(self._map, np.uint8)
        self._say(ROOM.pack(self._room))

    def _take(self, said: Shown) -> Picture:
        """Copy a picture out; what the process writes there from now on changes nothing."""
        taken = said.height * abs(said.stride)
        if not (said.width and said.height and 3 * said.width <= abs(said.stride)):
            raise self._nonsense()
        if taken > len(self._pixels):
            raise self._nonsense()
        turn = Turn(bool(said.turn & 1), bool(said.turn & 2), bool(said.turn & 4))
        raw = None
        if text(said.raw.format):
            from sealshot.runtime.sources.raw import raw_of  # it loads FFmpeg

            try:
                raw = raw_of(said.raw, self._pixels[taken:], turn)
            except ValueError:
                raise self._nonsense() from None
        image = _copied(self._pixels[:taken], said, turn)
        self._say(CREDIT)
        self.damaged, self.moves = said.damaged, said.moves
        if said.strange_matrix >= 0 and not self._told:
            self._told = True
            tell_of_matrix(said.strange_matrix)
        return Picture(image, _stamp(said.stamp_s), raw)

    def _say(self, data: bytes) -> None:
        with suppress(OSError):  # it has ended, which the next read tells
            self._line.send(data)

    def _death(self) -> NoVideoError:
        """Say how the process ended."""
        try:
            code = self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        how = f"was ended by {_signal(-code)}" if code < 0 else f"ended with code {code}"
        return NoVideoError(f"the process that parses it {how}", ours=True)

    def _nonsense(self) -> NoVideoError:
        self._process.kill()
        return NoVideoError("the process that parses it says what cannot be", ours=True)


def _copied(rows: Image, said: Shown, turn: Turn) -> Image:
    image: Image = np.ndarray(
        (said.height, said.width, 3), np.uint8, rows, strides=(abs(said.stride), 3, 1)
    )
    image = image[::-1] if said.stride < 0 else image
    return image.copy() if turn == Turn() else turned(image, turn)


def _stamp(seconds: float) -> float | None:
    return seconds if abs(seconds) < LATEST_S else None  # NaN is not


def _created(unix_s: float) -> datetime | None:
    if not 0 < unix_s < 1e11:
        return None
    return UNIX_0 + timedelta(seconds=unix_s)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@cache
def tell_of_guards(guards: Guards) -> None:
    """Tell once what this kernel cannot hold back."""
    if not guards.landlock:
        logger.warning(
            "this kernel has no Landlock (Linux 5.13 on, `lsm=landlock,...`): the process that "
            "parses streams can read the files that this user can read"
        )
    if not guards.seccomp:
        logger.warning(
            "this system takes no seccomp filter: the process that parses streams can make all "
            "system calls of this user"
        )


def tell_of_matrix(matrix: int) -> None:
    """Tell that colours come out wrong."""
    logger.warning(
        "FFmpeg cannot convert the colours of this video (matrix %d of H.273): they are"
        " taken for usual ones and come out wrong",
        matrix,
    )


def start(line: int, memory: int, descriptors: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
    """Start a process that has a socket, shared memory, and nothing else of this one.

    Raises:
        OSError: it cannot be started.
    """
    kept = (line, memory, *descriptors)
    command = [sys.executable, "-ISB", "-c", BOOT, str(line), str(memory), *_packages()]
    environment = {"MALLOC_ARENA_MAX": "2"}  # each thread of a decoder would keep memory of its own
    libraries = os.environ.get("LD_LIBRARY_PATH")
    if libraries:
        environment["LD_LIBRARY_PATH"] = libraries
    answer: SimpleQueue[subprocess.Popen[bytes] | OSError] = SimpleQueue()

    def popen() -> None:
        try:
            process = subprocess.Popen(
                command,
                stdin=None if 0 in descriptors else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=environment,
                pass_fds=kept,
                start_new_session=True,  # signals of the terminal are for this process
            )
        except OSError as error:
            answer.put(error)
        else:
            answer.put(process)

    _starter(os.getpid()).put(popen)
    started = answer.get()
    if isinstance(started, OSError):
        raise started
    return started


@cache
def _starter(_process: int) -> SimpleQueue[Callable[[], None]]:
    """Return what gives work to a thread that lasts as long as this process.

    The kernel ends a child with the thread that started it, not with the process.
    """
    work: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def run() -> None:
        while True:
            work.get()()

    threading.Thread(target=run, name="sealshot-starter", daemon=True).start()
    return work


@cache
def _packages() -> tuple[str, ...]:
    """Return the folders that sealshot and PyAV are imported from."""
    found = (importlib.util.find_spec(name) for name in ("sealshot", "av"))
    return tuple(str(Path(one.origin).parent.parent) for one in found if one and one.origin)
