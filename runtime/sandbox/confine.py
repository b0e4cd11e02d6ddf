"""Giving up rights for good, before the first byte of a stream is read."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from struct import pack, unpack

from sealshot.runtime.sandbox import landlock, seccomp
from sealshot.runtime.sandbox.messages import Guards

_SET_DUMPABLE, _SET_NO_NEW_PRIVS, _DROP_BOUND = 4, 38, 24  # prctl(2)
_CAPABILITIES_3, _LAST_CAPABILITY = 0x20080522, 63  # capabilities(7)
_READ_ANY_FILE, _REACH_ANY_FILE = 1 << 2, 1 << 1
_MEMORY, _THREAD_MEMORY = 4 << 30, 16 << 20  # bytes of addresses
_FILES = 64
FIRST_TO_GO = "800"
"""Out of memory the kernel rather ends this process than one that holds shots; see proc(5)."""
RESOLVER = (
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
)
"""What the C library reads to find the address of a name; its parts are libraries."""


def confine(
    readable: Iterable[str], *, network: bool, local_sockets: bool = False, threads: int = 1
) -> Guards:
    """Leave this process, which must have one thread, next to nothing that it may do.

    Its memory is in no core dump and cannot be looked into by other processes of the user. It
    writes to no file, starts no program, and reaches no other process. The number of its processes
    is not limited: that limit counts all of a user's, threads too, and new ones are refused anyhow.

    Args:
        readable: files and folders that may be read.
        network: whether connections may be made.
        local_sockets: whether sockets of other programs of this machine may be used.
        threads: of a decoder.

    Returns:
        Which guards this kernel has.
    """
    with suppress(FileNotFoundError):  # no /proc
        if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208
            raise RuntimeError("the other threads of this process would keep their rights")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)  # they are for who started it
    libc = ctypes.CDLL(None)
    with suppress(OSError):  # no /proc: it takes its chance like others
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_AS, _MEMORY + threads * _THREAD_MEMORY),
    ):
        _, bound = resource.getrlimit(limit)
        most = most if bound == resource.RLIM_INFINITY else min(most, bound)
        resource.setrlimit(limit, (most, most))
    libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if network:  # the C library loads parts when it first looks for a name
        _look_for_a_name()
    _drop_capabilities(libc)
    files = [*readable, *(RESOLVER if network else ())]
    families = [seccomp.INET, seccomp.INET6] if network else []
    families += [seccomp.LOCAL] if local_sockets else []
    walled = landlock.restrict(files, network=network)
    return Guards(walled, seccomp.refuse_calls(tuple(families)))


def _look_for_a_name() -> None:
    with suppress(OSError):
        socket.getaddrinfo("localhost", 9)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Give up what root can do, but to read the files that whoever started it reads.

    Root in a container often lacks the right to read any file, and reads it by the one to read and
    write it; what is asked for and not there is refused as a whole.
    """
    for number in range(_LAST_CAPABILITY + 1):
        libc.prctl(_DROP_BOUND, number, 0, 0, 0)
    header, held = pack("=II", _CAPABILITIES_3, 0), ctypes.create_string_buffer(24)
    libc.capget(header, held)
    effective = unpack("=6I", held.raw)[0]
    kept = effective & _READ_ANY_FILE or effective & _REACH_ANY_FILE
    libc.capset(header, pack("=6I", kept, kept, 0, 0, 0, 0))
