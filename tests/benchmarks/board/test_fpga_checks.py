"""What `sealshot bench fpga` reads and counts; its simulations take minutes and run by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from sealshot.benchmarks.board.check import steps
from sealshot.benchmarks.board.fpga import cells, command
from sealshot.benchmarks.board.fpga.accuracy import Choices, choices, compare_graphs
from sealshot.benchmarks.board.fpga.command import hard_pictures
from sealshot.benchmarks.board.fpga.equality import Equality, compare, read_net
from sealshot.benchmarks.board.fpga.links import whole_answers
from sealshot.export.fpga.files import FpgaFiles, export_fpga
from sealshot.export.golden import draw_faces
from sealshot.kernels.rtl.protocol import ANSWER, END, Command, Status, checked, slip
from sealshot.runtime.cli.main import main
from sealshot.runtime.engines import open_onnxruntime
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.weights import score_graph


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> FpgaFiles:
    folder = tmp_path_factory.mktemp("fpga")
    return export_fpga(score_graph("quality"), draw_faces(240), "drawn", folder)


class Rtl:
    """A board that scores as a net does, and one crop otherwise where asked."""

    def __init__(self, graph: Path, wrong: int | None = None) -> None:
        self.net, self.wrong = read_net(graph), wrong

    def score(self, crops: np.ndarray) -> np.ndarray:
        scores = self.net.score(crops)
        if self.wrong is not None:
            scores[self.wrong] = np.nextafter(scores[self.wrong], np.float32(np.inf))
        return scores


@pytest.mark.parametrize(("wrong", "apart"), [(None, 0), (2, 1)])
def test_one_score_apart_by_the_least_is_found(
    files: FpgaFiles, wrong: int | None, apart: int
) -> None:
    board = Rtl(files.graph, wrong)
    hard = hard_pictures()
    found = compare(board, files.stream, hard, hard[:0])  # type: ignore[arg-type]
    assert (found.crops, found.scores_apart, found.layers_of) == (4, apart, 0)


class Clip:
    """A clip with the faces of two tracks, one after the other."""

    tracks = (np.arange(3), np.arange(3, 7))


def test_a_choice_that_differs_is_counted_with_what_it_loses_by_the_trained_score() -> None:
    trained = np.array([1, 3, 2, 5, 4, 7, 6], np.float32)
    integer = np.array([1, 3, 2, 5, 4, 6.5, 6.6], np.float32)
    found = choices([Clip()], [trained], [integer])  # type: ignore[list-item]
    assert found == Choices(faces=7, tracks=2, same=1, mean_loss=0.5, worst_loss=1.0)


def test_the_integer_graph_is_compared_with_the_trained_one(files: FpgaFiles) -> None:
    faces = draw_faces(60)
    found = compare_graphs(score_graph("quality"), files.graph, faces, [])
    assert found.choices is None
    assert 0 < found.rms < 0.2 * found.spread
    same = compare_graphs(files.graph, files.graph, faces, [])
    assert (same.rms, same.spearman) == (0, pytest.approx(1))


@pytest.mark.parametrize(("other", "apart"), [("0a 0b 0c", 0), ("0a 0b 0d", 1)])
def test_cells_that_ever_gave_something_else_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str, apart: int
) -> None:
    def probe(folder: Path, *, as_cells: bool) -> Path:
        program = folder / "probe"
        program.write_text(f"#!/bin/sh\nprintf '%s\\n' {other if as_cells else '0a 0b 0c'}\n")
        program.chmod(0o755)
        return program

    monkeypatch.setattr(cells, "probe_of_cells", probe)
    assert cells.compare_cells(800) == cells.CellEquality(800, 3, apart)


@pytest.mark.parametrize("apart", [0, 1])
def test_a_netlist_that_scores_otherwise_is_no_success(
    files: FpgaFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    apart: int,
) -> None:
    def compared(_program: Path, _stream: Path, crops: np.ndarray, layers: np.ndarray) -> Equality:
        return Equality(len(crops), len(layers), apart, 0)

    monkeypatch.setattr(command, "netlist_board", lambda folder: folder)
    monkeypatch.setattr(command, "_compared", compared)
    np.savez(tmp_path / "faces.npz", crops=draw_faces(16))
    asked = ["bench", "fpga", str(files.stream), "--faces", str(tmp_path / "faces.npz")]
    assert main([*asked, "--steps", "netlist"]) == apart
    assert f"2 crops by the netlist, NumPy and ONNX Runtime: {apart} scores" in (
        capsys.readouterr().out
    )


def test_hard_pictures_are_four_and_no_two_alike() -> None:
    assert hard_pictures().shape == (4, 1, 64, 64)
    assert len(np.unique(hard_pictures().reshape(4, -1), axis=0)) == 4


def lines(*answers: bytes) -> str:
    """Return what the pins say of answers: one byte every ten cycles."""
    stream = b"".join(answers)
    return "".join(f"{10 * i} {byte}\n" for i, byte in enumerate(stream))


def answer(tag: int, status: int = Status.DONE) -> bytes:
    return slip(checked(bytes((Command.PICTURE | ANSWER, tag, status, 0xC0, 0xDB, 0, 0))))


def test_answers_are_counted_where_they_end() -> None:
    one, two = answer(0), answer(1)
    assert whole_answers(lines(one, two), 2) == [
        10 * (len(one) - 1),
        10 * (len(one) + len(two) - 1),
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (lines(answer(0)), 2),
        (lines(answer(1)), 1),
        (lines(answer(0, Status.FULL)), 1),
        (lines(bytes((END, 1, 2, 3, 4, 5, 6, 7, END))), 1),
    ],
)
def test_an_answer_that_is_missing_or_no_score_is_told(text: str, count: int) -> None:
    with pytest.raises(SealshotError, match="picture"):
        whole_answers(text, count)


@pytest.mark.parametrize(("off", "verdict"), [(0.0, "passed"), (1e-6, "failed")])
def test_board_check_holds_a_board_to_each_bit_of_its_integer_graph(
    files: FpgaFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: float, verdict: str
) -> None:
    graph = open_onnxruntime(files.graph)

    class Board:
        description, manifest = "a board", graph.manifest

        def score(self, crops: np.ndarray) -> np.ndarray:
            return graph.score(crops) + np.float32(off)

    asked = []

    def opened(*given: object, **_: object) -> Board:
        asked.append(given)
        return Board()

    monkeypatch.setattr(steps, "open_engine", opened)
    subject = steps.Subject(
        steps.Plan(
            out=tmp_path, scores=(str(files.stream),), engines=("fpga:/dev/board",), data=None,
            recognizer=None, meter="none", seconds=0.01, threads=1,
        )
    )  # fmt: skip
    assert steps.numerics_step(subject).verdict == verdict
    assert asked == [(files.stream, "fpga:/dev/board", "auto")]
    rated = steps.throughput_step(subject)
    assert [row["batch"] for row in rated.rows] == [1, 4, 16]
    assert "a board" in rated.why


@pytest.mark.parametrize(
    ("engine", "fact"),
    [
        ("fpga", "invalid choice: 'fpga'"),
        ("fpga:", "invalid choice: 'fpga:'"),
        ("fpga:sim", "no score is for fpga:sim"),
    ],
)
def test_board_check_says_what_a_board_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str, fact: str
) -> None:
    asked = ["board", "check", "--engine", engine, "--score", "quality", "-o", str(tmp_path)]
    assert main(asked) == 2
    assert fact in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_step_that_is_none_is_told(files: FpgaFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "fpga", str(files.stream), "--faces", "x", "--steps", "speed"]) == 2
    assert "there is no step 'speed'" in capsys.readouterr().err


def test_the_net_that_is_read_back_is_the_one_in_the_graph(files: FpgaFiles) -> None:
    net = read_net(files.graph)
    names = {t.name for t in onnx.load(files.graph).graph.initializer}
    assert len(net.layers) == sum(name.endswith(".weight") for name in names) == 10
    assert all(layer.shifts.max() <= 7 for layer in net.layers)
