"""What a process that has given up its rights may not do; each is asked of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sealshot.runtime.sandbox.seccomp import CALLS

ROOT = Path(__file__).parents[3] / ".package"


def confined(code: str, *arguments: object, network: bool = False, files: int = 0) -> list[str]:
    """Run code in a process that has given up its rights; return what it prints, line by line."""
    program = f"""
        import ctypes, errno, os, socket, sys
        sys.path.append({str(ROOT)!r})
        from sealshot.runtime.sandbox.confine import confine
        assert len(os.listdir("/proc/self/task")) == 1
        guards = confine(sys.argv[1 : 1 + {files}], network={network})

        def refused(act, *arguments):
            try:
                act(*arguments)
            except OSError as error:
                return errno.errorcode[error.errno]
            return "done"
    """
    done = subprocess.run(
        [sys.executable, "-ISB", "-c", textwrap.dedent(program) + textwrap.dedent(code)]
        + [str(one) for one in arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


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
            (os.mkfifo, new),
        ]
        print({refused(*act) for act in acts} <= {"EPERM", "EACCES"})
    """
    names = "\nfrom os.path import dirname\ngiven = sys.argv[1]; new = dirname(given) + '/new'"
    assert confined(names + textwrap.dedent(code), given, files=1, network=network) == ["True"]
    assert given.read_text() == "1"
    assert os.listdir(tmp_path) == ["given"]  # noqa: PTH208


def test_it_starts_no_program_and_reaches_no_process(tmp_path) -> None:
    code = """
        own, parent = os.getpid(), os.getppid()
        print(refused(os.execv, "/bin/true", ["true"]), refused(os.fork))
        print(refused(os.kill, parent, 0), refused(os.setpriority, os.PRIO_USER, 0, 19) and "")
        print(refused(os.pidfd_open, parent), refused(os.memfd_create, "x"))
        import resource
        print(refused(resource.prlimit, parent, resource.RLIMIT_CORE, (0, 0)))
        print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_FSIZE))
    """
    lines = confined(code)
    assert lines[0] == "EPERM EPERM"
    assert lines[1].split() == ["EPERM"]
    assert lines[2:] == ["EPERM done", "EPERM", "(0, 0) (0, 0)"]


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
    """
    assert confined(code, network=True)[0] in ("EACCES", "done")  # done before Landlock's version 4


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
