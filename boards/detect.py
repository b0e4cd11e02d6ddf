"""Which board is this? From files alone, so that a recorded tree of them answers too.

Nothing here fails: a file that is absent, unreadable, garbled or of a release that nobody knew when
this was written leaves a gap in the answer.
"""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealshot.boards.jetpack import jetpack_of
from sealshot.boards.profile import Board, boards

MOST_BYTES = 1 << 20
SOCS = {
    "tegra210": "Jetson Nano or TX1",
    "tegra186": "Jetson TX2",
    "tegra194": "Jetson Xavier",
    "tegra234": "Jetson Orin",
    "tegra264": "Jetson Thor",
}


@dataclass(frozen=True)
class Mode:
    """A power mode by the board's own configuration."""

    id: int
    name: str
    """Empty where the configuration does not name it."""


@dataclass(frozen=True)
class Detected:
    """What the files say. Empty or None is not known."""

    board: str | None
    """Name of the profile."""
    why: str
    """In a sentence, for people."""
    model: str
    """Of the device tree."""
    compatible: tuple[str, ...]
    """Of the device tree, from the board to the chip."""
    architecture: str
    processor: str
    gpus: tuple[str, ...]
    l4t: str
    """Release of Jetson Linux: ``36.4.3``."""
    jetpack: str
    """Of that release; empty where it is not known."""
    power_mode: Mode | None
    """The one that is set now."""
    power_modes: tuple[Mode, ...]


def detect(root: Path = Path("/")) -> Detected:
    """Describe the system whose files lie under ``root``. Whatever they hold, it does not raise.

    Args:
        root: ``/``, or the top of a recorded tree.
    """
    live = root == Path("/")
    tree = root / "proc/device-tree"
    model = _clean(_read(tree / "model"))
    compatible = tuple(
        text for part in _read(tree / "compatible").split("\0") if (text := _clean(part))
    )
    cpu = _read(root / "proc/cpuinfo")
    modes = _modes(_read(root / "etc/nvpmodel.conf"))
    gpus = _gpus(root) or (_nvidia_smi() if live else ())
    architecture = platform.machine() if live else _architecture(cpu, compatible)
    l4t = _l4t(_read(root / "etc/nv_tegra_release"))
    board, why = _choose(boards(), model, compatible, modes, gpus, architecture)
    return Detected(
        board=board.name if board else None,
        why=why,
        model=model,
        compatible=compatible,
        architecture=architecture,
        processor=_processor(cpu),
        gpus=gpus,
        l4t=l4t,
        jetpack=jetpack_of(l4t),
        power_mode=_current(_read(root / "var/lib/nvpmodel/status"), modes),
        power_modes=modes,
    )


def _choose(
    known: Mapping[str, Board],
    model: str,
    compatible: tuple[str, ...],
    modes: tuple[Mode, ...],
    gpus: tuple[str, ...],
    architecture: str,
) -> tuple[Board | None, str]:
    marks = " ".join((model, *compatible, *(mode.name for mode in modes))).lower()
    able = [b for b in known.values() if b.signs.mark.lower() in marks]
    able.sort(key=lambda b: -len(b.signs.mark))  # the more special one first
    for board in able:
        for module in board.signs.modules:
            if any(re.search(rf"\b{re.escape(module)}\b", part) for part in compatible):
                return board, f"the device tree names the module {module}"
    named = [(name, b) for b in able for name in b.signs.models if b.kind != "gpu"]
    for name, board in sorted(named, key=lambda pair: -len(pair[0])):
        if _is_named(name, model):
            return board, f"the device tree's model says '{name}'"
    for soc, family in SOCS.items():
        if any(soc in part for part in compatible):
            return None, f"a {family} ({soc}) whose module no profile knows"
    cards = [(name, b) for b in able for name in b.signs.models if b.kind == "gpu"]
    for gpu in gpus:
        for name, board in sorted(cards, key=lambda pair: -len(pair[0])):
            if _is_named(name, gpu):
                return board, f"the NVIDIA driver names {gpu}"
    other = f"; the GPU {gpus[0]} has no profile" if gpus else ""
    for board in able:
        if board.kind == "cpu" and board.architecture == architecture:
            return board, f"nothing names a board; the processor is {architecture}{other}"
    return None, f"nothing names a board that has a profile{other}"


def _is_named(name: str, text: str) -> bool:
    """Say whether a text names a board: what follows the name must not make it another one.

    ``Jetson TX2`` is no ``Jetson TX2 NX``, ``RTX 4090`` no ``RTX 4090 Laptop GPU``: such siblings
    are smaller.
    """
    kit = r"(\W*(engineering reference|developer kit|module|board|rev\w*))*\W*"
    return re.search(rf"(?<!\w){re.escape(name)}{kit}$", text, re.I) is not None


def _read(path: Path) -> str:
    """Return the beginning of a regular file as text; empty where that is not possible."""
    try:
        if not path.is_file():  # a pipe would block
            return ""
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode("utf-8", errors="replace")
    except (OSError, ValueError, RuntimeError):
        return ""


def _clean(text: str) -> str:
    return "".join(c for c in text if c.isprintable()).strip()


def _l4t(text: str) -> str:
    """Return the release in `# R36 (release), REVISION: 4.3, GCID: ...`."""
    found = re.search(r"R(\d{1,4})\b[^,\n]{0,40},\s*REVISION:\s*(\d{1,4}(?:\.\d{1,4}){0,3})", text)
    return f"{found[1]}.{found[2]}" if found else ""


def _modes(conf: str) -> tuple[Mode, ...]:
    """Return the modes of an ``nvpmodel.conf``, by their `< POWER_MODEL ID=0 NAME=15W >`."""
    lines = re.finditer(r"^\s*<\s*POWER_MODEL\s+ID=(\d{1,6})\s+NAME=([^\s>]{1,64})", conf, re.M)
    return tuple(Mode(int(line[1]), _clean(line[2])) for line in lines)


def _current(status: str, modes: tuple[Mode, ...]) -> Mode | None:
    """Return the mode in `pmode:0002`."""
    found = re.search(r"pmode:(\d{1,6})", status)
    if not found:
        return None
    number = int(found[1])
    return next((mode for mode in modes if mode.id == number), Mode(number, ""))


def _gpus(root: Path) -> tuple[str, ...]:
    """Return the cards that the NVIDIA driver lists in /proc."""
    try:
        files = sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
    except (OSError, ValueError, RuntimeError):
        return ()
    found = (re.search(r"^Model:\s*(.+)$", _read(file), re.M) for file in files)
    return tuple(_clean(line[1]) for line in found if line)


def _nvidia_smi() -> tuple[str, ...]:
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return ()
    names = done.stdout.decode("utf-8", errors="replace").splitlines()
    return tuple(_clean(name) for name in names if _clean(name)) if done.returncode == 0 else ()


def _processor(cpu: str) -> str:
    found = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", cpu, re.M)
    return _clean(found[1]) if found else ""


def _architecture(cpu: str, compatible: tuple[str, ...]) -> str:
    """Tell the architecture of a recorded tree."""
    if re.search(r"^CPU implementer\s*:", cpu, re.M) or any("tegra" in c for c in compatible):
        return "aarch64"
    return "x86_64" if re.search(r"^flags\s*:.*\blm\b", cpu, re.M) else ""
