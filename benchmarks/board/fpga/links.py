"""Faces a second over each line, with its framing: at the pins of the top, in simulation."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.kernels.rtl.lines import UART_BAUD
from sealshot.kernels.rtl.packing import pack
from sealshot.kernels.rtl.protocol import ANSWER, END, Command, Status, frame, whole
from sealshot.kernels.rtl.ulx3s import CLOCK_MHZ
from sealshot.runtime.engines.bytepipe import SPI_HZ
from sealshot.runtime.errors import SealshotError


@dataclass(frozen=True)
class Rate:
    """One line."""

    line: str
    bits_per_s: int
    packed: bool
    bytes_per_face: float
    """With framing."""
    faces_per_s: float


def rates(pins: Path, crops: NDArray[np.uint8]) -> list[Rate]:
    """Return what each line carries.

    Args:
        pins: the program of `sim/pins.cpp`.
        crops: ``uint8 [n, 1, 64, 64]``, sent one behind the other; three or more.

    Raises:
        SealshotError: a score is missing.
    """
    return [
        _rate(pins, name, bits_per_s, crops, packed)
        for name, bits_per_s in (("UART", UART_BAUD), ("SPI", SPI_HZ))
        for packed in (False, True)
    ]


def at_pins(pins: Path, line: str, bits_per_s: int, sent: bytes) -> str:
    """Return what the program of `sim/pins.cpp` prints: each byte that comes back, and when.

    Args:
        pins: the program.
        line: UART or SPI.
        bits_per_s: of the line, whose clock is not the board's.
        sent: to the board, one byte behind the other.
    """
    cycles = 1e6 * CLOCK_MHZ / bits_per_s
    command = [str(pins), line.lower(), f"{cycles:.6f}"]
    return subprocess.run(command, input=sent, stdout=subprocess.PIPE, check=True).stdout.decode()


def _rate(
    pins: Path,
    name: str,
    bits_per_s: int,
    crops: NDArray[np.uint8],
    packed: bool,
) -> Rate:
    frames = [_frame(tag, crop, packed) for tag, crop in enumerate(crops[:, 0])]
    answers = whole_answers(at_pins(pins, name, bits_per_s, b"".join(frames)), len(crops))
    cycles = answers[-1] - answers[0]
    return Rate(
        line=name,
        bits_per_s=bits_per_s,
        packed=packed,
        bytes_per_face=round(sum(map(len, frames)) / len(frames), 1),
        faces_per_s=round(1e6 * CLOCK_MHZ * (len(crops) - 1) / cycles, 1),
    )


def whole_answers(text: str, count: int) -> list[int]:
    """Return the cycle at which each answer was whole.

    Args:
        text: what the program of `sim/pins.cpp` printed.
        count: of answers; their tags are 0, 1, ...

    Raises:
        SealshotError: one is missing, or none to a picture that was scored.
    """
    found: list[int] = []
    for cycle, body in answers_at_pins(text):
        expected = bytes((Command.PICTURE | ANSWER, len(found), Status.DONE))
        if body is None or body[:3] != expected:
            raise SealshotError(f"picture {len(found)} of {count} got no score, but {body!r}")
        found.append(cycle)
    if len(found) != count:
        raise SealshotError(f"{len(found)} of {count} pictures were answered")
    return found


def answers_at_pins(text: str) -> Iterator[tuple[int, bytes | None]]:
    """Give the cycle at which each answer was whole, and its body; None where it is damaged."""
    packet = bytearray()
    for line in text.splitlines():
        cycle, byte = map(int, line.split())
        if byte != END:
            packet.append(byte)
        elif packet:
            yield cycle, whole(bytes(packet))
            packet.clear()


def _frame(tag: int, crop: NDArray[np.uint8], packed: bool) -> bytes:
    if packed and len(data := pack(crop)) < crop.size:
        return frame(Command.PACKED, tag, data)
    return frame(Command.PICTURE, tag, crop.tobytes())
