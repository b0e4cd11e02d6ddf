"""The hard cells of the ECP5, synthesised, against the plain form that simulation sees."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sealshot.kernels.rtl.build import probe_of_cells

CYCLES = 100_000


@dataclass(frozen=True)
class CellEquality:
    """What was compared, and what differed."""

    cycles: int
    """Of random traffic through a multiplier and block RAMs of each shape that the scorer has."""
    signatures: int
    """Of all that came out until then, in the course of it."""
    signatures_apart: int


def compare_cells(cycles: int = CYCLES) -> CellEquality:
    """Run both forms through the same traffic.

    Raises:
        BuildError: a tool is missing, or failed.
    """
    plain, cells = (_signatures(as_cells, cycles) for as_cells in (False, True))
    apart = sum(one != other for one, other in zip(plain, cells, strict=True))
    return CellEquality(cycles, len(plain), apart)


def _signatures(as_cells: bool, cycles: int) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="sealshot-cells-") as folder:
        program = probe_of_cells(Path(folder), as_cells=as_cells)
        run = subprocess.run([program, str(cycles)], stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout.split()
