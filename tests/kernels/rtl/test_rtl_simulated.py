"""The RTL, as Verilator compiles it, against the integer model: every layer, number for number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sealshot.benchmarks.board.fpga.equality import layer_output
from sealshot.kernels.rtl.packing import pack
from sealshot.kernels.rtl.protocol import Command
from sealshot.kernels.rtl.reference import IntegerNet
from sealshot.kernels.rtl.shape import LAYERS
from sealshot.kernels.rtl.words import parameter_words, weight_words
from sealshot.runtime.engines.bytepipe import open_program
from sealshot.runtime.engines.fpga import SIMULATED_ANSWER_S, Board, simulation
from sealshot.runtime.engines.weight_stream import Stream
from sealshot.runtime.errors import SealshotError

MOST_CYCLES = 70_200


@pytest.fixture(scope="module")
def board(drawn_net: IntegerNet) -> Iterator[Board]:
    stream = Stream(weight_words(drawn_net), parameter_words(drawn_net), drawn_net.scale)
    program = simulation()
    board = Board(lambda: open_program(program), stream, "sim", SIMULATED_ANSWER_S)
    yield board
    board.close()


def test_scores_are_those_of_the_integer_model_in_the_cycles_of_the_table(
    board: Board, drawn_net: IntegerNet, hard_crops: np.ndarray
) -> None:
    np.testing.assert_array_equal(board.score(hard_crops), drawn_net.score(hard_crops))
    cycles = int.from_bytes(board.ask(Command.HELLO)[9:13], "little")
    assert sum(layer.cycles for layer in LAYERS) < cycles <= MOST_CYCLES


def test_packed_pictures_are_scored_as_they_were(
    board: Board, drawn_net: IntegerNet, hard_crops: np.ndarray
) -> None:
    for crop, score in zip(hard_crops, drawn_net.score(hard_crops), strict=True):
        answer = board.ask(Command.PACKED, pack(crop[0]), Command.PICTURE)
        assert drawn_net.scale * int.from_bytes(answer, "little", signed=True) == score


@pytest.mark.parametrize(
    ("command", "payload"),
    [
        (Command.PICTURE, bytes(4095)),
        (Command.PICTURE, bytes(4097)),
        (Command.PICTURE, bytes(4092)),
        (Command.PACKED, pack(np.zeros((64, 64), np.uint8))[:-1]),
        (99, b""),
    ],
)
def test_what_is_no_whole_picture_or_no_command_is_refused(
    board: Board, drawn_net: IntegerNet, hard_crops: np.ndarray, command: int, payload: bytes
) -> None:
    answer = Command.PICTURE if command == Command.PACKED else command
    with pytest.raises(SealshotError, match="the board does not take"):
        board.ask(command, payload, answer)
    np.testing.assert_array_equal(board.score(hard_crops[2:3]), drawn_net.score(hard_crops[2:3]))


def test_every_layer_is_that_of_the_integer_model(
    board: Board, drawn_net: IntegerNet, hard_crops: np.ndarray
) -> None:
    expected = drawn_net.outputs(hard_crops[2:3])
    for i in range(len(LAYERS) - 1):
        found = layer_output(board, hard_crops[2], i)
        np.testing.assert_array_equal(found, expected[i][0], err_msg=f"layer {i}")


def test_a_face_is_repeated_as_often_as_asked(
    board: Board, drawn_net: IntegerNet, hard_crops: np.ndarray
) -> None:
    assert board.repeat(hard_crops[0], 3) == drawn_net.score(hard_crops[:1])[0]
    np.testing.assert_array_equal(board.score(hard_crops[:1]), drawn_net.score(hard_crops[:1]))
