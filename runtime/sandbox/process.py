"""Starting a process that has nothing of this one but a socket and shared memory."""

from __future__ import annotations

import errno
import fcntl
import importlib.util
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue

BOOT = (
    # PR_SET_PDEATHSIG of prctl(2): it ends with who started it, also before it has loaded anything
    "import ctypes, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0); "
    "sys.path += sys.argv[3:]; from sealshot.runtime.sandbox.child import main; "
    "main(int(sys.argv[1]), int(sys.argv[2]))"
)

ALLOCATOR = {
    # each thread of a decoder would keep memory of its own
    "MALLOC_ARENA_MAX": "2",
    # what the C library keeps of each size for the next time would lie between pictures that are
    # freed, whose places then serve no other: three of 6 MB for a camera of 1080p (glibc < 2.38)
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
}
"""Variables that the process has for the sake of its memory."""

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL if hasattr(fcntl, "F_SEAL_SHRINK") else 1 | 2
ADD_SEALS = getattr(fcntl, "F_ADD_SEALS", 1033)


@dataclass(frozen=True, eq=False)
class Begun:
    """A process that waits for its request."""

    line: socket.socket
    """To it."""
    memory: int
    """Descriptor of what is shared with it."""
    process: subprocess.Popen[bytes]


_early: list[SimpleQueue[Begun | None]] = []


def begin(descriptors: tuple[int, ...] = ()) -> Begun:
    """Start a process, or take the one that was started early.

    Args:
        descriptors: that it shall have beside its socket and its memory.

    Raises:
        OSError: it cannot be started.
    """
    while _early and not descriptors:
        begun = _early.pop().get()
        if begun and begun.process.poll() is None:
            return begun
    return _begun(descriptors)


def begin_early() -> None:
    """Start a process for the next :func:`begin`: it loads what it needs while this one does."""
    begun: SimpleQueue[Begun | None] = SimpleQueue()

    def run() -> None:
        try:
            begun.put(_begun())
        except BaseException:  # who needs it starts one, and is told
            begun.put(None)

    with suppress(RuntimeError):  # so Python tells that there may be no more threads
        threading.Thread(target=run, name="sealshot-early", daemon=True).start()
        _early.append(begun)


def dismiss() -> None:
    """End the process that was started early, where nobody needed it."""
    while _early:
        begun = _early.pop().get()
        if begun:
            begun.line.close()
            os.close(begun.memory)
            begun.process.kill()
            begun.process.wait()


def _begun(descriptors: tuple[int, ...] = ()) -> Begun:
    memory = os.memfd_create("pictures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        # a file that shrinks under a mapping kills whoever reads it
        fcntl.fcntl(memory, ADD_SEALS, SEALS)
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            try:
                return Begun(here, memory, start(there.fileno(), memory, descriptors))
            except BaseException:
                here.close()
                raise
    except BaseException:
        os.close(memory)
        raise


def start(line: int, memory: int, descriptors: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
    """Start a process that has a socket, shared memory, and nothing else of this one.

    Raises:
        OSError: it cannot be started.
    """
    kept = (line, memory, *descriptors)
    command = [sys.executable, "-ISB", "-c", BOOT, str(line), str(memory), *_packages()]
    environment = dict(ALLOCATOR)
    libraries = os.environ.get("LD_LIBRARY_PATH")
    if libraries:
        environment["LD_LIBRARY_PATH"] = libraries
    answer: SimpleQueue[subprocess.Popen[bytes] | BaseException] = SimpleQueue()

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
        except BaseException as error:  # whatever it is: who asked would wait for ever
            answer.put(error)
        else:
            answer.put(process)

    _starter(os.getpid()).put(popen)
    started = answer.get()
    if isinstance(started, BaseException):
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

    try:
        threading.Thread(target=run, name="sealshot-starter", daemon=True).start()
    except RuntimeError:  # so Python tells that there may be no more threads
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
    return work


@cache
def _packages() -> tuple[str, ...]:
    """Return the folders that sealshot, and what parses, are imported from."""
    found: dict[str, None] = {}
    for one in map(importlib.util.find_spec, ("sealshot", "av", "cv2", "numpy", "onvif")):
        if one and one.origin:
            above = Path(one.origin).parent
            found[str(above.parent if one.submodule_search_locations else above)] = None
    return tuple(found)
