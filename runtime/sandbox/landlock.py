"""Landlock (landlock(7)): a process gives up all files but those that it names, for good."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from struct import pack

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on all architectures
_PATH_BENEATH = 1
_FILE, _FOLDER = 1 << 2, 1 << 2 | 1 << 3  # read a file; and list a folder
_FS_OF_ABI = ((5, 16), (3, 15), (2, 14), (1, 13))
"""Rights on files, counted from bit 0, that a version of the interface knows."""
_BIND, _CONNECT = 1, 2
_SCOPES = 3
"""Abstract Unix sockets and signals, from version 6 on."""

_libc = ctypes.CDLL(None, use_errno=True)


def restrict(readable: Iterable[str], *, network: bool) -> bool:
    """Leave this thread, and those that it starts, nothing but to read some files and folders.

    Args:
        readable: may be read, with what lies in them; what is not there is passed over.
        network: whether TCP connections may be made; none is ever taken.

    Returns:
        Whether it is so: False where the kernel has no Landlock, or has it turned off.
    """
    abi = _libc.syscall(_CREATE, None, 0, 1)
    if abi < 1:
        return False
    fs = (1 << next(count for least, count in _FS_OF_ABI if abi >= least)) - 1
    net = 0 if abi < 4 else _BIND if network else _BIND | _CONNECT
    rules = pack("=QQQ", fs, net, _SCOPES if abi >= 6 else 0)
    ruleset = _libc.syscall(_CREATE, rules, 8 if abi < 4 else 16 if abi < 6 else 24, 0)
    if ruleset < 0:
        return False
    for path in readable:
        _allow(ruleset, path)
    done: bool = _libc.syscall(_RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    return done


def _allow(ruleset: int, path: str) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rights = _FOLDER if os.path.isdir(path) else _FILE  # noqa: PTH112
    _libc.syscall(_ADD, ruleset, _PATH_BENEATH, pack("=Qi", rights, fd), 0)
    os.close(fd)
