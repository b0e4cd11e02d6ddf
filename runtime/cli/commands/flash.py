"""`sealshot board flash`: a bitstream into the flash of a board, through openFPGALoader."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.terminal import say
from sealshot.runtime.engines.bitstream import BITSTREAM, read_report
from sealshot.runtime.errors import InputError, SealshotError

USAGE = """
usage: sealshot board flash DIR [--check] [--sram]

Write DIR/ulx3s.bit, which `sealshot export quality --engine fpga --board ulx3s -o DIR` made, into
the flash of a ULX3S 85F on USB, so that it starts with the scorer. Needs openFPGALoader
(`apt install openfpgaloader`). The board is asked first which part it is.

  --check   read back what was written, and compare
  --sram    write it into the FPGA alone: quick, and gone when the power is

example:
  sealshot board flash out/ --check
"""

PROGRAM = "openFPGALoader"
BOARD = "ulx3s"
"""As openFPGALoader calls it."""
PARTS = {
    0x21111043: "LFE5U-12F",
    0x41111043: "LFE5U-25F",
    0x41112043: "LFE5U-45F",
    0x41113043: "LFE5U-85F",
}
"""By what a part says over JTAG."""


def main(argv: list[str]) -> int:
    """Run `sealshot board flash`."""
    arguments = Arguments("board flash", USAGE)
    arguments.add_argument("folder", type=Path, metavar="DIR")
    arguments.add_argument("--check", action="store_true")
    arguments.add_argument("--sram", action="store_true")
    given = arguments.parse_args(argv)
    if given.check and given.sram:
        raise InputError("the FPGA itself cannot be read back", hint="leave out --check or --sram")
    flash(given.folder, check=given.check, sram=given.sram)
    return 0


def flash(folder: Path, *, check: bool = False, sram: bool = False) -> None:
    """Write a bitstream.

    Raises:
        InputError: there is none, or no tool, no board, or one with another part.
        SealshotError: it could not be written.
    """
    figures = read_report(folder)
    if shutil.which(PROGRAM) is None:
        raise InputError(f"{PROGRAM} is not installed", hint="apt install openfpgaloader")
    part = _part()
    if not figures["part"].startswith(part):
        raise InputError(
            f"the board has a {part}, and {folder / BITSTREAM} is for a {figures['part']}",
            hint="the scorer fits a ULX3S 85F alone",
        )
    options = ["--write-sram"] if sram else ["--write-flash", *(["--verify"] if check else [])]
    done = _run(*options, str(folder / BITSTREAM))
    if done.returncode:
        raise SealshotError(
            f"the bitstream was not written: {_last(done.stdout)}",
            hint="check the cable, and try again: what was in the flash may be gone",
        )
    say(
        f"{folder / BITSTREAM} is in the {'FPGA' if sram else 'flash'} of the {part}"
        + (", read back and the same" if check else "")
    )


def _part() -> str:
    done = _run("--detect")
    if done.returncode:
        raise InputError(
            f"no ULX3S is found: {_last(done.stdout)}",
            hint="plug its socket US1 in; a user needs the right to open its USB device",
        )
    found = re.search(r"idcode\s+(0x[0-9a-fA-F]+)", done.stdout)
    code = int(found[1], 16) if found else 0
    if code not in PARTS:
        raise InputError(
            f"the board says {code:#010x}, which is no part of a ULX3S",
            hint="unplug other boards with such a cable",
        )
    return PARTS[code]


def _run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "--board", BOARD, *options], text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def _last(text: str) -> str:
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    return lines[-1] if lines else f"{PROGRAM} gave no reason"
