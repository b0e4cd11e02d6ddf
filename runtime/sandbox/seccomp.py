"""A seccomp filter (seccomp(2)): system calls that a process gives up for good.

It is a list of what is refused and not of what is allowed: C libraries call what they like, and a
camera must not fail because one has learnt a new call. Landlock holds the files; this is about what
reaches other processes and the kernel, and a second wall before the files.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from struct import pack

_SET_SECCOMP, _FILTER = 22, 2  # prctl(2)
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # <linux/bpf_common.h>
_KILL, _ERROR, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16  # in struct seccomp_data
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_X32 = 0x40000000

CALLS: dict[str, tuple[int | None, int | None]] = {
    # programs and processes
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "kcmp": (312, 272),
    "personality": (135, 92), "unshare": (272, 97), "setns": (308, 268),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274), "migrate_pages": (256, 238), "move_pages": (279, 239),
    # connections of others: a socket that listens is bound without a call to bind
    "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242),
    # the kernel
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "syslog": (103, 116), "quotactl": (179, 60), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "modify_ldt": (154, None),
    "iopl": (172, None), "ioperm": (173, None), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "sethostname": (170, 161), "setdomainname": (171, 162),
    # mounts
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "open_tree_attr": (467, 467),
    # memory and queues of other programs
    "shmget": (29, 194), "shmat": (30, 196), "semget": (64, 190), "msgget": (68, 186),
    "mq_open": (240, 180),
    # files
    "creat": (85, None), "truncate": (76, 45), "rename": (82, None), "renameat": (264, 38),
    "renameat2": (316, 276), "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None),
    "link": (86, None), "linkat": (265, 37), "unlink": (87, None), "unlinkat": (263, 35),
    "symlink": (88, None), "symlinkat": (266, 36), "mknod": (133, None), "mknodat": (259, 33),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None),
    "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "openat2": (437, 437), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262), "setxattrat": (463, 463), "removexattrat": (466, 466),
    "file_setattr": (469, 469),
}  # fmt: skip
"""Refused whatever their arguments: numbers on x86-64, then on aarch64 (None where it has none)."""
_OPEN, _OPENAT, _CLONE, _CLONE3 = (2, None), (257, 56), (56, 220), (435, 435)
_SOCKET, _PRCTL, _PRLIMIT = (41, 198), (157, 167), (302, 261)
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
_THREAD = 0x10000  # CLONE_THREAD
_PDEATHSIG, _DUMPABLE = 1, 4
LOCAL, INET, INET6 = 1, 2, 10
"""Families of sockets."""


def refuse_calls(families: tuple[int, ...]) -> bool:
    """Refuse calls to this thread, and to those that it starts, for good.

    Args:
        families: of sockets that may be made.

    Returns:
        Whether it is so: False on another architecture, or where the kernel has no seccomp.
    """
    known = _ARCHITECTURES.get(os.uname().machine)
    if known is None:
        return False
    code = b"".join(_program(*known, families))
    lines = ctypes.create_string_buffer(code)
    program = pack("HP", len(code) // 8, ctypes.addressof(lines))
    done: int = ctypes.CDLL(None).prctl(_SET_SECCOMP, _FILTER, program, 0, 0)
    return done == 0


def _program(architecture: int, column: int, families: tuple[int, ...]) -> Iterator[bytes]:
    refuse, allow = _line(_RETURN, _ERROR | errno.EPERM), _line(_RETURN, _ALLOW)
    yield _line(_LOAD, _ARCHITECTURE_AT)
    yield _line(_EQUAL, architecture, 1, 0)
    yield _line(_RETURN, _KILL)
    yield _line(_LOAD, _NUMBER_AT)
    yield _line(_AT_LEAST, _X32, 0, 1) + refuse
    for numbers in CALLS.values():
        number = numbers[column]
        if number is not None:
            yield _line(_EQUAL, number, 0, 1) + refuse
    # glibc asks for threads by clone where there is no clone3, whose flags lie in memory
    yield _line(_EQUAL, _CLONE3[column], 0, 1) + _line(_RETURN, _ERROR | errno.ENOSYS)
    some = [
        _line(_EQUAL, family, len(families) - place, 0) for place, family in enumerate(families)
    ]
    for numbers, argument, test in (
        (_OPEN, 1, _line(_ANY_BIT, _WRITING, 0, 1) + refuse),
        (_OPENAT, 2, _line(_ANY_BIT, _WRITING, 0, 1) + refuse),
        (_CLONE, 0, _line(_ANY_BIT, _THREAD, 1, 0) + refuse),
        (_SOCKET, 0, b"".join(some) + refuse),
        (_PRCTL, 0, _line(_EQUAL, _PDEATHSIG, 1, 0) + _line(_EQUAL, _DUMPABLE, 0, 1) + refuse),
        (_PRLIMIT, 0, _line(_EQUAL, 0, 1, 0) + refuse),  # of other processes
    ):
        number = numbers[column]
        if number is not None:
            body = _line(_LOAD, _ARGUMENTS_AT + 8 * argument) + test + allow
            yield _line(_EQUAL, number, 0, len(body) // 8) + body
    yield allow


def _line(code: int, value: int, when: int = 0, otherwise: int = 0) -> bytes:
    return pack("=HBBI", code, when, otherwise, value)
