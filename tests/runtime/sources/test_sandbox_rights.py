"""What a process that has given up its rights may not do; each is asked of it."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path

import pytest
from processes import confined

from sealshot.runtime.sandbox.seccomp import CALLS


@pytest.fixture(scope="module", autouse=True)
def landlock() -> None:
    if confined("print(guards.landlock)") != ["True"]:
        pytest.skip("this kernel has no Landlock")


def test_it_reads_what_it_was_given_and_no_other_file(tmp_path) -> None:
    given, other = tmp_path / "given", tmp_path / "other"
    given.write_text("1"), other.write_text("2")
    code = """
        print(refused(open, sys.argv[1]), refused(open, sys.argv[2]))
        print(refused(os.listdir, os.path.dirname(sys.argv[1])), refused(open, "/etc/passwd"))
    """
    assert confined(code, given, other, files=1) == ["done EACCES", "EACCES EACCES"]


@pytest.mark.parametrize("network", [False, True])
def test_it_writes_nothing(tmp_path, network) -> None:
    """Not even what it may read; and the second wall stands without the first."""
    given = tmp_path / "given"
    given.write_text("1")
    code = """
        acts = [
            (open, given, "w"), (open, given, "r+"), (open, new, "x"), (open, given, "a"),
            (os.unlink, given), (os.rename, given, new), (os.mkdir, new), (os.link, given, new),
            (os.symlink, given, new), (os.truncate, given, 0), (os.chmod, given, 0o777),
            (os.chown, given, 0, 0), (os.utime, given), (os.setxattr, given, "user.a", b"1"),
            (os.mkfifo, new), (setxattrat, given),
        ]
        print({refused(*act) for act in acts} <= {"EPERM", "EACCES"})
    """
    names = """
        given = sys.argv[1]; new = os.path.dirname(given) + "/new"
        libc = ctypes.CDLL(None, use_errno=True)

        def setxattrat(path):  # Linux 6.13; before, and where a C library emulates none, ENOSYS
            value = ctypes.c_char_p(b"1")
            which = (ctypes.c_uint64 * 2)(ctypes.cast(value, ctypes.c_void_p).value, 1)
            if libc.syscall(463, -100, path.encode(), 0, b"user.a", which, 16) < 0:
                raise OSError(ctypes.get_errno(), "")
    """
    assert confined(
        textwrap.dedent(names) + textwrap.dedent(code), given, files=1, network=network
    ) == ["True"]
    assert given.read_text() == "1"
    assert os.listdir(tmp_path) == ["given"]  # noqa: PTH208


def test_it_starts_no_program_and_reaches_no_process(tmp_path) -> None:
    code = """
        own, parent = os.getpid(), os.getppid()
        print(refused(os.execv, "/bin/true", ["true"]), refused(os.fork))
        print(refused(os.kill, parent, 0), refused(os.setpriority, os.PRIO_USER, 0, 19) and "")
        print(refused(os.pidfd_open, parent), refused(os.memfd_create, "x"))
        print(refused(os.sched_setaffinity, 0, os.sched_getaffinity(0)))
        import resource
        print(refused(resource.prlimit, parent, resource.RLIMIT_CORE, (0, 0)))
        print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_FSIZE))
    """
    lines = confined(code)
    assert lines[0] == "EPERM EPERM"
    assert lines[1].split() == ["EPERM"]
    assert lines[2:] == ["EPERM done", "EPERM", "EPERM", "(0, 0) (0, 0)"]


@pytest.mark.skipif(os.geteuid() != 0, reason="others have none to give up")
@pytest.mark.parametrize(
    ("held", "kept"),
    [("0x1FFFFFFFFFF", "0x4"), ("0xA80425FB", "0x2"), ("0", "0x0")],
    ids=["root", "root in a container", "root without any"],
)
def test_of_roots_capabilities_the_one_to_read_is_left(tmp_path, held, kept) -> None:
    given = tmp_path / "given"
    given.write_text("1"), given.chmod(0o600)
    if int(kept, 16):  # what root owns it reads without any
        os.chown(given, 1000, 1000)
    before = f"""if True:
        from struct import pack, unpack
        libc, held = ctypes.CDLL(None), ctypes.create_string_buffer(24)
        libc.capget(pack("=II", 0x20080522, 0), held)
        few = [now & most for now, most in zip(
            unpack("=6I", held.raw), ({held} & 0xFFFFFFFF,) * 2 + (0,) + ({held} >> 32,) * 2 + (0,)
        )]
        assert libc.capset(pack("=II", 0x20080522, 0), pack("=6I", *few)) == 0
    """
    code = """
        libc.capget(pack("=II", 0x20080522, 0), held)
        effective, permitted, inheritable, *others = unpack("=6I", held.raw)
        print(hex(effective), effective == permitted, inheritable, sum(others))
        print(refused(open, sys.argv[1]))
    """
    assert confined(code, given, files=1, before=before) == [f"{kept} True 0 0", "done"]


@pytest.mark.parametrize(("network", "inet"), [(False, "EPERM"), (True, "done")])
def test_a_recording_has_no_network_and_nobody_has_local_sockets(network, inet) -> None:
    code = """
        families = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK
        print(*(refused(socket.socket, family) for family in families))
    """
    assert confined(code, network=network) == [f"{inet} {inet} EPERM EPERM"]


def test_it_takes_no_connection_over_tcp() -> None:
    code = """
        line = socket.socket()
        print(refused(line.bind, ("127.0.0.1", 0)))
        print(refused(line.listen), refused(line.accept))
    """
    bound, taken = confined(code, network=True)
    assert bound in ("EACCES", "done")  # done before Landlock's version 4
    assert taken == "EPERM EPERM"  # one that is bound to nothing listens, too


def test_it_cannot_take_its_word_back() -> None:
    code = """
        libc = ctypes.CDLL(None, use_errno=True)

        def prctl(*numbers):
            done = libc.prctl(*numbers, 0, 0, 0)
            return done if done >= 0 else errno.errorcode[ctypes.get_errno()]

        print(prctl(39, 0), prctl(3, 0), prctl(4, 1), prctl(1, 0), prctl(21, 0))
    """
    # no new privileges; not dumpable, nor ever again; it dies with its parent; a filter is there
    assert confined(code) == ["1 0 EPERM EPERM 2"]


def test_each_call_of_the_list_is_refused() -> None:
    """With arguments that none of them takes, so that nothing happens where one is not."""
    column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]
    numbers = sorted(call[column] for call in CALLS.values() if call[column] is not None)
    code = f"""
        libc = ctypes.CDLL(None, use_errno=True)
        wrong = []
        for number in {numbers}:
            done = libc.syscall(number, -1, -1, -1, -1, -1, -1)
            if done != -1 or ctypes.get_errno() != errno.EPERM:
                wrong.append(number)
        print(wrong)
    """
    assert confined(code) == ["[]"]


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", 0),
        ("/usr/include/asm-generic/unistd.h", 1),
    ],
)
def test_the_numbers_are_those_of_the_kernel(header, column) -> None:
    file = Path(header)
    if not file.exists():
        pytest.skip("there are no headers of the kernel")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", file.read_text())
    known = {name: int(number) for name, number in found}
    ours = {name: call[column] for name, call in CALLS.items() if call[column] is not None}
    assert {name: known.get(name, number) for name, number in ours.items()} == ours
    assert len(ours.keys() & known.keys()) > 80
