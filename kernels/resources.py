"""What the compiler made of the kernels: registers, spills, shared memory, 128-bit loads.

It needs nvcc and no GPU. 128-bit loads are counted in the machine code where `cuobjdump` is there
and knows the GPU, else in the PTX, whose vector loads the assembler keeps.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from sealshot.kernels.compiler import NAMES, SOURCES, build
from sealshot.kernels.errors import DeviceError

STREAMING = "rp_likelihood"
"""The kernel that is bound by memory, and must load 128 bits at a time."""
_ENTRY = re.compile(r"Compiling entry function '(\w+)'")
_SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers")
_SHARED = re.compile(r"(\d+) bytes smem")


@dataclass(frozen=True)
class Resources:
    """One kernel, compiled for one GPU."""

    kernel: str
    sm: int
    registers: int
    """A thread."""
    spill_bytes: int
    """Stores and loads, a thread."""
    stack_bytes: int
    shared_bytes: int
    """A block."""
    loads_128: int
    """Instructions that load 128 bits from global memory."""
    loads_seen_in: str
    """``SASS`` or ``PTX``."""

    def fault(self) -> str:
        """Return what is wrong with it; nothing if all is well."""
        if self.spill_bytes or self.stack_bytes:
            return f"spills {self.spill_bytes} bytes, stack {self.stack_bytes} bytes"
        if self.kernel.startswith(STREAMING) and not self.loads_128:
            return "no 128-bit loads"
        return ""


def resources(nvcc: Path, sm: int) -> list[Resources]:
    """Compile every kernel for one compute capability, warnings being errors, and read the reports.

    Raises:
        DeviceError: one does not compile.
    """
    found: list[Resources] = []
    for name in NAMES:
        image, report = build(nvcc, name, sm)
        loads, seen_in = _wide_loads(nvcc, name, sm, image)
        found += [
            replace(each, loads_128=loads[each.kernel], loads_seen_in=seen_in)
            for each in read_report(report, sm)
        ]
    return found


def read_report(report: str, sm: int) -> list[Resources]:
    """Read what ``ptxas -v`` says of each kernel; the loads are not in it."""
    parts = _ENTRY.split(report)[1:]
    found = []
    for kernel, text in zip(parts[::2], parts[1::2], strict=True):
        spills, used, shared = _SPILLS.search(text), _USED.search(text), _SHARED.search(text)
        if not spills or not used:
            raise DeviceError(f"the assembler's report on {kernel} cannot be read: {text.strip()}")
        stack, stores, loads = map(int, spills.groups())
        found.append(
            Resources(
                kernel=kernel,
                sm=sm,
                registers=int(used[1]),
                spill_bytes=stores + loads,
                stack_bytes=stack,
                shared_bytes=int(shared[1]) if shared else 0,
                loads_128=0,
                loads_seen_in="",
            )
        )
    return sorted(found, key=lambda each: each.kernel)


def _wide_loads(nvcc: Path, name: str, sm: int, image: bytes) -> tuple[Counter[str], str]:
    sass = _disassemble(nvcc, image)
    if sass:
        return count_loads(sass, r"Function : (\w+)", r"\bLDG\.\S*128\b"), "SASS"
    command = [str(nvcc), "-ptx", f"-arch=sm_{sm}", "-std=c++17", "-o", "-"]
    done = subprocess.run(
        [*command, str(SOURCES / f"{name}.cu")], capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        raise DeviceError(f"nvcc gives no PTX of {name}.cu for sm_{sm}")
    return count_loads(done.stdout, r"\.entry (\w+)", r"\bld\.global\S*\.v4\.[a-z]32\b"), "PTX"


def count_loads(listing: str, head: str, load: str) -> Counter[str]:
    """Count what matches ``load`` under each ``head`` of an assembly listing."""
    counts: Counter[str] = Counter()
    kernel = ""
    for line in listing.splitlines():
        if found := re.search(head, line):
            kernel = found[1]
        elif re.search(load, line):
            counts[kernel] += 1
    return counts


def _disassemble(nvcc: Path, image: bytes) -> str:
    tool = shutil.which("cuobjdump") or shutil.which(str(nvcc.with_name("cuobjdump")))
    if not tool:
        return ""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(image)
        file.flush()
        done = subprocess.run(
            [tool, "-sass", file.name], capture_output=True, text=True, timeout=600
        )
    return done.stdout if done.returncode == 0 and "Function :" in done.stdout else ""
