"""Looking into a process that gave its rights up, and trying what one may do."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[3] / ".package"


def memory_of(pid: int) -> bytes:
    parts = []
    with Path(f"/proc/{pid}/mem").open("rb", 0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            start, end = (int(one, 16) for one in span.split("-"))
            if rights.startswith("rw") and "memfd" not in line:
                file.seek(start)
                parts.append(file.read(end - start))
    return b"".join(parts)


def confined(
    code: str, *arguments: object, network: bool = False, files: int = 0, before: str = ""
) -> list[str]:
    """Run code in a process that has given up its rights; return what it prints, line by line.

    Args:
        code: what it runs.
        arguments: in ``sys.argv``.
        network: whether it may have connections.
        files: how many of the arguments are files that it may read.
        before: what it runs while it has its rights.
    """
    program = f"""
        import ctypes, errno, os, socket, sys
        sys.path.append({str(ROOT)!r})
        from sealshot.runtime.sandbox.confine import confine
        assert len(os.listdir("/proc/self/task")) == 1
        exec({before!r})
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
