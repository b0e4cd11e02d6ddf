"""The driver and the RTL, at the real rate of a line, while things go wrong between them."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from sealshot.export.golden import draw_faces
from sealshot.kernels.rtl.lines import UART_BAUD
from sealshot.kernels.rtl.protocol import END
from sealshot.kernels.rtl.reference import IntegerNet
from sealshot.kernels.rtl.ulx3s import CLOCK_MHZ
from sealshot.kernels.rtl.words import parameter_words, weight_words
from sealshot.runtime.engines.bytepipe import SPI_HZ, BytePipe, PipeClosedError, open_program
from sealshot.runtime.engines.fpga import Board, simulation
from sealshot.runtime.engines.weight_stream import Stream

BYTE_CYCLES = {
    "uart": round(1e6 * CLOCK_MHZ * 10 / UART_BAUD),
    "spi": round(1e6 * CLOCK_MHZ * 8 / SPI_HZ),
}
LOAD_BYTES = 350_000
"""Of the weights, nearly: they go as fast as the simulation takes them."""
ANSWER_S = 30.0


class Line:
    """What lies between driver and board; a fault comes with each of some calls once loaded."""

    def __init__(self, line: str, faults: dict[int, Callable[[Line, bytes], bytes]]) -> None:
        self.line, self.faults = line, dict(faults)
        self.boards = self.sent = self.calls = 0
        self.inner: BytePipe

    def open(self) -> Line:
        """Give power to a board that knows nothing."""
        self.boards += 1
        self.sent = 0
        self.inner = open_program(simulation(), str(BYTE_CYCLES[self.line]), str(LOAD_BYTES))
        return self

    def exchange(self, out: bytes, until_s: float) -> tuple[int, bytes]:
        part = out[:1024]
        if part and self.sent > LOAD_BYTES:
            self.calls += 1
            if fault := self.faults.pop(self.calls, None):
                part = fault(self, part)
        written, came = self.inner.exchange(part, until_s)
        self.sent += written
        return min(written, len(out)), came

    def close(self) -> None:
        self.inner.close()


def flipped(line: Line, part: bytes) -> bytes:
    """A bit is another one on its way."""
    broken = bytearray(part)
    broken[len(part) // 2] ^= 32
    return bytes(broken)


def noise(line: Line, part: bytes) -> bytes:
    """Some bytes are something else."""
    return random.Random(1).randbytes(60) + bytes((END,)) + part[61:]


def pulled(line: Line, part: bytes) -> bytes:
    """The cable is out in the middle of a frame."""
    line.inner.exchange(part[: len(part) // 2], 0)
    raise PipeClosedError("Input/output error")


def browned_out(line: Line, part: bytes) -> bytes:
    """The board starts anew behind a port that stays."""
    line.inner.close()
    line.open()
    return part


@pytest.mark.parametrize(
    ("line", "faults", "boards"),
    [
        ("spi", {2: flipped, 6: noise, 11: flipped, 14: noise}, 1),
        ("spi", {6: pulled}, 2),
        ("uart", {3: noise}, 1),
    ],
)
def test_scores_come_whole_over_a_line_at_its_rate_whatever_happens_on_it(
    drawn_net: IntegerNet,
    hard_crops: np.ndarray,
    line: str,
    faults: dict[int, Callable[[Line, bytes], bytes]],
    boards: int,
) -> None:
    between = Line(line, faults)
    stream = Stream(weight_words(drawn_net), parameter_words(drawn_net), drawn_net.scale)
    board = Board(between.open, stream, "sim", ANSWER_S, packs=line == "uart")  # type: ignore[arg-type]
    crops = draw_faces(2) if line == "uart" else np.concatenate([hard_crops, draw_faces(2)])
    try:
        np.testing.assert_array_equal(board.score(crops), drawn_net.score(crops))
    finally:
        board.close()
    assert not between.faults, "each has happened"
    assert between.boards == boards


@pytest.mark.parametrize(
    ("call", "boards"),
    [pytest.param(6, 3, id="while it is loaded"), pytest.param(24, 2, id="while it scores")],
)
def test_a_board_that_browns_out_behind_its_port_is_loaded_again(
    drawn_net: IntegerNet, hard_crops: np.ndarray, call: int, boards: int
) -> None:
    between = Line("spi", {call: browned_out})
    stream = Stream(weight_words(drawn_net), parameter_words(drawn_net), drawn_net.scale)
    board = Board(between.open, stream, "sim", 4.0)  # type: ignore[arg-type]
    try:
        np.testing.assert_array_equal(board.score(hard_crops), drawn_net.score(hard_crops))
    finally:
        board.close()
    assert (between.boards, between.faults) == (boards, {})
