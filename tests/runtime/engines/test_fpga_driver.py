"""The driver against a board that keeps to the protocol and a line that does not."""

from __future__ import annotations

import fcntl
import os
import pty
import random
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_board import FakeBoard

from sealshot.benchmarks.energy.command import on_board
from sealshot.kernels.rtl import protocol
from sealshot.kernels.rtl.protocol import ANSWER, SHAPE_ID, Command
from sealshot.runtime.engines import fpga, open_engine
from sealshot.runtime.engines.bytepipe import BytePipe, PipeClosedError, open_serial
from sealshot.runtime.engines.fpga import Board
from sealshot.runtime.engines.weight_stream import Stream, read_stream
from sealshot.runtime.errors import InputError, SealshotError

STREAM = Stream(
    np.arange(64 * 128, dtype=np.uint8).reshape(64, 128), np.ones((8, 22), np.uint8), 0.5
)
CROPS = np.random.default_rng(0).integers(0, 256, (9, 1, 64, 64), np.uint8)
SCORES = 0.5 * CROPS.reshape(9, -1).sum(1)


def board(fake: FakeBoard, answer_s: float = 0.3, *, packs: bool = False) -> Board:
    return Board(fake.open, STREAM, "/dev/board", answer_s, packs=packs)


def every(period: int, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Return a line that changes each ``period``-th chunk."""
    seen = 0

    def line(chunk: bytes) -> bytes:
        nonlocal seen
        seen += 1
        return change(chunk) if seen % period == 0 else chunk

    return line


def flip(chunk: bytes) -> bytes:
    """Flip a bit somewhere in the middle."""
    broken = bytearray(chunk)
    broken[len(chunk) // 2] ^= 16
    return bytes(broken)


def noisy(chunk: bytes) -> bytes:
    """Put noise before it, which may hold anything but ends in an END."""
    return random.Random(len(chunk)).randbytes(40) + b"\xc0" + chunk


def test_scores_come_in_the_order_of_the_crops() -> None:
    fake = FakeBoard()
    np.testing.assert_array_equal(board(fake).score(CROPS), SCORES)
    assert (fake.pictures, fake.loads) == (9, 1)


def test_pictures_that_pack_well_go_packed_and_the_others_as_they_are() -> None:
    fake = FakeBoard()
    crops = CROPS[:4].copy()
    crops[1:3] //= 32  # CROPS are noise
    expected = 0.5 * crops.reshape(4, -1).sum(1)
    np.testing.assert_array_equal(board(fake, packs=True).score(crops), expected)
    assert (fake.pictures, fake.packed) == (4, 2)


def test_a_face_is_repeated_on_the_board_and_then_no_more() -> None:
    fake = FakeBoard()
    found = board(fake)
    assert found.repeat(CROPS[3], 1024) == SCORES[3]
    np.testing.assert_array_equal(found.score(CROPS[:2]), SCORES[:2])
    assert fake.repeats == [0, 1023, 0], "a run that was killed may have left another"
    linked, repeat = on_board(found, CROPS)
    assert linked.do(0.01) % len(CROPS) == 0
    assert repeat.do(0.01) % 1024 == 0
    assert fake.repeats[-2:] == [1023, 0]


def test_no_crop_is_no_score() -> None:
    assert board(FakeBoard()).score(CROPS[:0]).shape == (0,)


def test_a_board_that_restarts_repeats_as_it_was_to() -> None:
    fake = FakeBoard(restart=1)
    assert board(fake).repeat(CROPS[3], 1024) == SCORES[3]
    assert fake.repeats == [0, 1023, 1023, 0]


def test_a_cable_that_is_pulled_before_a_repeat_is_told() -> None:
    found = board(FakeBoard())
    found.close()
    with pytest.raises(SealshotError, match="the board is gone"):
        found.repeat(CROPS[3], 1024)


def late(chunk: bytes) -> bytes:
    """Hold it back for longer than an answer is waited for."""
    time.sleep(0.4)
    return chunk


def in_time(chunk: bytes) -> bytes:
    """Hold it back for nearly as long as an answer is waited for."""
    time.sleep(0.2)
    return chunk


CHANGES = [flip, noisy, lambda chunk: b"", lambda chunk: chunk[:-1], lambda c: c + c, late, in_time]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", ["line", "back"])
def test_a_bad_line_costs_time_and_no_score(way: str, change: Callable[[bytes], bytes]) -> None:
    fake = FakeBoard(**{way: every(7, change)})
    np.testing.assert_array_equal(board(fake).score(CROPS), SCORES)


def test_a_board_that_is_pulled_out_and_comes_back_is_loaded_again() -> None:
    fake = FakeBoard(drop=4)
    np.testing.assert_array_equal(board(fake).score(CROPS), SCORES)
    assert (fake.opened, fake.loads) == (2, 2)


@pytest.mark.parametrize(("after", "cuts"), [(1, False), (5, False), (8, False), (4, True)])
def test_what_a_board_scored_without_weights_after_a_brown_out_is_scored_again(
    after: int, cuts: bool
) -> None:
    fake = FakeBoard(restart=after, cuts=cuts)
    np.testing.assert_array_equal(board(fake).score(CROPS), SCORES)
    assert (fake.opened, fake.loads) == (1, 2)


def test_a_board_that_forgets_again_and_again_is_told() -> None:
    fake = FakeBoard()
    found = board(fake)
    fake.restarts_always = True
    with pytest.raises(SealshotError, match="forgets its weights again and again"):
        found.score(CROPS[:1])


def test_a_board_that_stays_away_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fpga, "BACK_S", 0.3)
    fake = FakeBoard(drop=2)
    found = board(fake)

    def gone() -> None:
        raise InputError("no such port", hint="")

    found._opener = gone  # type: ignore[assignment]
    with pytest.raises(SealshotError, match="the board at /dev/board is gone"):
        found.score(CROPS)


def test_a_line_that_carries_nothing_is_told() -> None:
    with pytest.raises(SealshotError, match="nothing that is a sealshot board answers"):
        board(FakeBoard(line=lambda chunk: b""), answer_s=0.05)


def test_a_board_that_says_one_thing_without_end_is_told() -> None:
    found = board(FakeBoard(), answer_s=0.05)

    class Babble(BytePipe):
        def __init__(self) -> None: ...

        def exchange(self, out: bytes, until_s: float) -> tuple[int, bytes]:
            return len(out), protocol.frame(Command.PICTURE | ANSWER, 255, bytes(5))

    found._pipe = Babble()
    with pytest.raises(SealshotError, match="gives no whole answer"):
        found.score(CROPS)


def short_hello(chunk: bytes) -> bytes:
    """Answer as something that knows the frames and nothing else."""
    return protocol.frame(
        Command.HELLO | ANSWER, (protocol.whole(chunk[1:-1]) or b"\0\0")[1], b"\0"
    )


@pytest.mark.parametrize("fake", [FakeBoard(version=9), FakeBoard(back=short_hello)])
def test_another_firmware_is_told(fake: FakeBoard) -> None:
    with pytest.raises(InputError, match="another firmware"):
        board(fake)


def test_a_port_is_let_go_once_whoever_has_its_number_then() -> None:
    (reads, others), (more, writes) = os.pipe(), os.pipe()
    pipe = BytePipe(reads, writes)
    pipe.close()
    assert os.dup2(others, reads) == reads
    pipe.close()
    os.fstat(reads)
    with pytest.raises(PipeClosedError):
        pipe.exchange(b"", 0)
    for fd in (reads, others, more):
        os.close(fd)


def test_a_pipe_may_have_any_number(many_files: int) -> None:
    (reads, writes), (far, other) = os.pipe(), os.pipe()
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, many_files) for fd in (reads, other)]
    pipe = BytePipe(*high)
    os.write(writes, b"came")
    assert pipe.exchange(b"goes", time.monotonic() + 5) == (4, b"came")
    assert os.read(far, 4) == b"goes"
    began = time.monotonic()
    assert pipe.exchange(b"", began + 0.05) == (0, b"")
    assert time.monotonic() - began >= 0.05
    os.close(writes)
    with pytest.raises(PipeClosedError):
        pipe.exchange(b"", time.monotonic() + 5)
    pipe.close()
    for fd in (reads, far, other):
        os.close(fd)


@pytest.fixture
def many_files() -> Iterator[int]:
    """Allow more open files than `select.select` knows of, and return the first number beyond."""
    beyond, before = 1024, resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < beyond + 8:
        pytest.skip(f"no process may have more than {before[1]} files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], beyond + 8), before[1]))
    yield beyond
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_of_two_drivers_of_one_port_the_second_is_told() -> None:
    board_end, port = pty.openpty()
    path = Path(os.ttyname(port))
    first = open_serial(path)
    with pytest.raises(InputError, match=f"the board at {path} is in use"):
        open_serial(path)
    first.close()
    open_serial(path).close()
    for fd in (board_end, port):
        os.close(fd)


def test_a_file_that_is_no_stream_is_told(tmp_path: Path) -> None:
    path = tmp_path / "quality.fpga"
    path.write_bytes(b"no")
    with pytest.raises(InputError, match="holds no weights for an FPGA"):
        read_stream(path)
    np.savez(
        path.open("wb"), weights=STREAM.weights, parameters=STREAM.parameters, scale=1.0,
        shape=SHAPE_ID + 1,
    )  # fmt: skip
    with pytest.raises(InputError, match="another shape"):
        read_stream(path)


@pytest.mark.parametrize(
    ("engine", "fact"),
    [
        ("fpga:sim", "holds no weights for an FPGA"),
        ("onnxruntime:0", "takes no device"),
        ("fpgb:sim", "takes no device"),
    ],
)
def test_an_engine_named_wrongly_is_told(tmp_path: Path, engine: str, fact: str) -> None:
    from sealshot.runtime.weights import score_graph

    with pytest.raises(InputError, match=fact):
        open_engine(score_graph("quality"), engine)


def test_a_graph_for_the_fpga_is_told_where_its_weights_lie(tmp_path: Path) -> None:
    graph = tmp_path / "quality.w8a9.onnx"
    with pytest.raises(InputError, match="holds no weights for an FPGA") as told:
        open_engine(graph, "fpga:sim")
    assert f"`sealshot export {tmp_path}/quality.onnx --engine fpga" in told.value.hint
    graph.with_name("quality.w8a9-stream.fpga").touch()
    with pytest.raises(InputError, match="holds no weights for an FPGA") as told:
        open_engine(graph, "fpga:sim")
    assert told.value.hint == f"name {tmp_path}/quality.w8a9-stream.fpga beside it with --score"
