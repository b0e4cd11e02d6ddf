"""Where figures come from: machine, date, commit, versions. Every result file carries it."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from sealshot import __version__

TOOLS = ("numpy", "onnxruntime", "opencv-python-headless")


@dataclass(frozen=True)
class Environment:
    """What a figure depends on besides the code."""

    date: str
    """UTC, ISO 8601."""
    commit: str
    """Of the checkout, ``-dirty`` if files differ from it; ``unknown`` outside of one."""
    machine: str
    """The processor's own name."""
    instructions: tuple[str, ...]
    """Vector instructions that this process may use beyond NumPy's least, as NumPy calls them.

    By the processor's own word (CPUID), not the kernel's: a hypervisor or a debugger may hide some.
    """
    cores: int
    """That this process may use."""
    load_1min: float
    """Processes that wanted a core in the minute before; well above 0, others were at work too."""
    versions: dict[str, str]


def origin(commit: str, versions: Mapping[str, str]) -> str:
    """Say in words what code made a result; an installed package knows no commit."""
    if commit != "unknown":
        return f"commit {commit}"
    return f"sealshot {versions.get('sealshot', '')} as installed, so no commit is known"


def environment(tools: Sequence[str] = ()) -> Environment:
    """Describe this machine now.

    Args:
        tools: distributions whose versions matter, besides those that every run uses.
    """
    return Environment(
        date=datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
        commit=_commit(Path(__file__).parent),
        machine=machine(),
        instructions=_instructions(),
        cores=len(os.sched_getaffinity(0)),
        load_1min=round(os.getloadavg()[0], 2),
        versions={"python": platform.python_version(), "sealshot": __version__}
        | {tool: _version(tool) for tool in (*TOOLS, *tools)},
    )


def machine() -> str:
    """Return the name of the processor, or of the board where the kernel knows no other."""
    for path, key in ((Path("/proc/cpuinfo"), "model name"), (Path("/proc/device-tree/model"), "")):
        if path.is_file():
            for line in path.read_text(errors="replace").splitlines():
                if line.startswith(key):
                    return line.rpartition(":")[2].strip(" \t\0")
    return platform.machine()


def _instructions() -> tuple[str, ...]:
    known = np.show_config(mode="dicts").get("SIMD Extensions", {})
    return tuple(known.get("found", ()))  # NumPy leaves out what would be empty


def _version(tool: str) -> str:
    try:
        return version(tool)
    except PackageNotFoundError:  # OpenCV of JetPack or of a distribution
        return "not from a package"


def _commit(folder: Path) -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
