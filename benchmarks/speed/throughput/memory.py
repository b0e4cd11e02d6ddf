"""How much memory a process took at most."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.errors import SealshotError


def peak_mb() -> float:
    """Return the largest resident memory of this process so far.

    Not ``getrusage``: its maximum outlives exec(2), so a child starts with that of its parent.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6  # the kernel writes KiB
    raise SealshotError("this kernel does not tell the peak memory of a process (VmHWM)")
