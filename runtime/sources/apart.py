"""A process that parses for this one and is not believed: how it is started, heard and ended.

What it is, and what it may do, stands in :mod:`sealshot.runtime.sandbox`.
"""

from __future__ import annotations

import errno
import logging
import mmap
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TypeVar

import numpy as np

from sealshot.runtime.sandbox.messages import (
    CREDIT,
    MOST,
    ROOM,
    Broken,
    Data,
    Ended,
    Guards,
    Message,
    MessageError,
    Need,
    Refused,
    Request,
    text,
    unpack,
)
from sealshot.runtime.sandbox.process import ADD_SEALS, begin
from sealshot.runtime.sources.reader import NoVideoError
from sealshot.runtime.standard_streams import fill_standard_streams
from sealshot.runtime.types import Image

logger = logging.getLogger(__name__)

PATIENCE_S = 30.0
"""Longest silence of the process that reads an address, above what it may wait itself."""
CLOSE_S = 2.0
"""How long it may take to end."""
LARGEST = 1 << 30
"""Bytes of what is taken at once: of a picture, decoded planes included."""
PAGE = mmap.PAGESIZE
GET_SEALS = ADD_SEALS + 1
LASTING = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOSYS)
ROOM_HINT = (
    "let this user have more processes, open files or memory; `sealshot run --no-sandbox`, that of "
    "other commands, and sandbox = false in cameras.toml read in the process that holds the keys"
)

Taken = TypeVar("Taken")


class Apart:
    """A process that does one job, and its memory, which this one copies from."""

    def __init__(self, request: Request, descriptors: tuple[int, ...] = ()) -> None:
        """Start it, and tell it what is asked for.

        Args:
            request: what to open, and how.
            descriptors: that it shall have, too.

        Raises:
            NoVideoError: no such process can be started.
        """
        self._room = 0
        self._map: mmap.mmap | None = None
        self._pixels = np.empty(0, np.uint8)
        try:
            fill_standard_streams()
            begun = begin(descriptors)
        except OSError as error:
            why = f"the process that would parse it does not start: {error.strerror}"
            lasting = error.errno in LASTING
            raise NoVideoError(why, ROOM_HINT, lasting=lasting, ours=True) from None
        self._line, self._memory, self._process = begun.line, begun.memory, begun.process
        if request.network:  # what reads a file may wait for a slow disk
            self._line.settimeout(PATIENCE_S + sum(request.timeouts_s) + (request.every_s or 0.0))
        try:
            self._ask(request)
        except BaseException:
            self.close()
            raise

    def _ask(self, request: Request) -> None:
        try:
            try:
                self._line.send(request.to_bytes())
            except OSError:
                raise self._death() from None
            guards = self._hear()
        except NoVideoError as error:  # it has parsed nothing yet
            raise NoVideoError(error.why, ROOM_HINT, ours=True) from None
        if isinstance(guards, Refused):
            raise refusal(guards)
        if not isinstance(guards, Guards):
            raise self.nonsense()
        tell_of_guards(guards)

    def data(self) -> Iterator[Image]:
        """Yield what it gives that is no picture, ``uint8 [n]`` each.

        Raises:
            NoVideoError: it ended, refuses, or says what cannot be.
        """
        while not isinstance(said := self._hear(), Ended):
            if isinstance(said, Need):
                self._make_room(said.size)
            elif isinstance(said, Data):
                yield self._copied(said.size)
            elif isinstance(said, Refused):
                raise refusal(said)
            else:
                raise self.nonsense()

    def interrupt(self) -> None:
        """Let a read that waits in another thread end."""
        with suppress(OSError):  # it has ended
            self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let it close the file or the connection, and see it end. A second call does nothing."""
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

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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
            raise self.nonsense() from None
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

    def _copied(self, size: int) -> Image:
        """Copy bytes out; what it writes there from now on changes nothing."""
        if size > len(self._pixels):
            raise self.nonsense()
        taken: Image = self._pixels[:size].copy()
        self._say(CREDIT)
        return taken

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

    def nonsense(self) -> NoVideoError:
        """Stop it, and return what is to be raised where it says what cannot be."""
        self._process.kill()
        return NoVideoError("the process that parses it says what cannot be", ours=True)


def data_of(
    request: Request,
    understood: Callable[[Image], Taken],
    *,
    sandbox: bool,
    descriptors: tuple[int, ...] = (),
) -> Iterator[Taken]:
    """Let a job be done that gives what is no picture, and yield what is understood of it.

    Args:
        request: with its ``job``.
        understood: makes sense of one of them, ``uint8 [n]``; ValueError where there is none in it.
        sandbox: False does it in this process.
        descriptors: that a process apart shall have.

    Raises:
        NoVideoError: it cannot be done.
    """
    if sandbox:
        with Apart(request, descriptors) as process:
            for data in process.data():
                try:
                    taken = understood(data)
                except ValueError:
                    raise process.nonsense() from None
                yield taken
        return
    from sealshot.runtime.sandbox.child import job_of  # it loads FFmpeg
    from sealshot.runtime.sandbox.errors import NoStreamError

    try:
        for parts in job_of(request.job)(request):
            yield understood(np.frombuffer(bytearray().join(parts), np.uint8))
    except NoStreamError as error:
        raise NoVideoError(error.why, error.hint, lasting=error.lasting) from None


@contextmanager
def handed_over(*parts: bytes) -> Iterator[int]:
    """Give a descriptor of memory with some bytes, for a process apart to read."""
    memory = os.memfd_create("given", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(memory), "wb") as file:
            file.writelines(parts)
        yield memory
    finally:
        os.close(memory)


def refusal(said: Refused) -> NoVideoError:
    """Return what a process refuses for."""
    return NoVideoError(text(said.why), text(said.hint), lasting=said.lasting, unread=said.unread)


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
