"""The RTL, as Verilator compiles it, against the integer model: every layer, number for number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sealshot.kernels.rtl.protocol import Command
from sealshot.kernels.rtl.reference import IntegerNet
from sealshot.kernels.rtl.sequencer import LARGE, SMALL
from sealshot.kernels.rtl.shape import LAYERS
from sealshot.kernels.rtl.words import activations, parameter_words, weight_words
from sealshot.runtime.engines.bytepipe import open_program
from sealshot.runtime.engines.fpga import SIMULATED_ANSWER_S, Board, Stream, simulation

MOST_CYCLES = 70_200
READ_WORDS = 1024


@pytest.fixture(scope="module")
def board(drawn_net: IntegerNet) -> Iterator[Board]:
    stream = Stream(weight_words(drawn_net), parameter_words(drawn_net), drawn_net.scale)
    program = simulation()
    board = Board(lambda: open_program(program), stream, "sim", SIMULATED_ANSWER_S)
    yield board
    board.close()


def read(board: Board, source: int, count: int) -> np.ndarray:
    words = b""
    for first in range(0, count, READ_WORDS):
        part = min(READ_WORDS, count - first)
        asked = bytes((source,)) + first.to_bytes(2, "little") + part.to_bytes(2, "little")
        words += board.ask(Command.READ, asked)
    return np.frombuffer(words, np.uint8).reshape(count, 5)


def test_scores_are_those_of_the_integer_model_in_the_cycles_of_the_table(
    board: Board, drawn_net: IntegerNet, hard_crops: np.ndarray
) -> None:
    np.testing.assert_array_equal(board.score(hard_crops), drawn_net.score(hard_crops))
    cycles = int.from_bytes(board.ask(Command.HELLO)[9:13], "little")
    assert sum(layer.cycles for layer in LAYERS) < cycles <= MOST_CYCLES


def test_every_layer_is_that_of_the_integer_model(
    board: Board, drawn_net: IntegerNet, hard_crops: np.ndarray
) -> None:
    expected = drawn_net.outputs(hard_crops[2:3])
    for i, shape in enumerate(LAYERS[:-1]):
        board.ask(Command.SETUP, bytes((i, 0, 0, 0)))
        board.score(hard_crops[2:3])
        words = read(board, SMALL if i % 2 else LARGE, shape.size_out**2 * shape.channels_out // 4)
        found = activations(words, shape.channels_out, shape.size_out)
        np.testing.assert_array_equal(found, expected[i][0], err_msg=f"layer {i}")
    board.ask(Command.SETUP, bytes((len(LAYERS) - 1, 0, 0, 0)))


def test_a_face_is_repeated_as_often_as_asked(
    board: Board, drawn_net: IntegerNet, hard_crops: np.ndarray
) -> None:
    board.ask(Command.SETUP, bytes((len(LAYERS) - 1, 2, 0, 0)))
    np.testing.assert_array_equal(board.score(hard_crops[:1]), drawn_net.score(hard_crops[:1]))
    board.ask(Command.SETUP, bytes((len(LAYERS) - 1, 0, 0, 0)))
