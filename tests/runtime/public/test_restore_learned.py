"""`sealshot restore --learned`: a guess where a face was drawn, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from nets import drawing_net, undoing_net

from sealshot.runtime.cli.main import dispatch
from sealshot.runtime.errors import InputError

pytest.importorskip("onnx")

DRAWN, GUESSED = None, 77
MakeClip = Callable[..., Path]


def _lumas(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [frame.to_ndarray()[: frame.height] for frame in frames]  # Y of 4:2:0


@pytest.fixture
def undo(tmp_path: Path) -> Path:
    """A net that guesses at one grey."""
    return undoing_net(tmp_path / "undo.onnx", GUESSED)


def test_a_guess_stands_where_a_face_was_drawn(
    make_walk: MakeClip, undo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, public = drawing_net(tmp_path / "same.onnx", DRAWN), tmp_path / "public.mkv"
    clip = make_walk(frames=3)
    assert dispatch(["deidentify", str(clip), "-o", str(public), "--style", f"face:{net}"]) == 0
    capsys.readouterr()
    out = tmp_path / "guess.mkv"
    command = ["restore", str(public), "--learned", str(undo), "-o", str(out), "--json"]
    assert dispatch(command) == 0
    told, err = capsys.readouterr()
    assert json.loads(told)["guessed"] == 3
    assert "no lock" in err
    assert (out.stat().st_mode & 0o777) == 0o600
    for index, (before, after) in enumerate(zip(_lumas(public), _lumas(out), strict=True)):
        x, y = 121 + 4 * index, 112  # where the portrait's face is
        assert after[y, x] == GUESSED
        assert before[y, x] != GUESSED
        outside = np.ones(before.shape, bool)
        outside[max(0, y - 110) : y + 110, max(0, x - 100) : x + 100] = False
        assert np.array_equal(after[outside], before[outside])


def test_a_video_that_hides_nobody_is_refused(
    make_walk: MakeClip, undo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "guess.mkv"
    with pytest.raises(InputError, match="says what was covered"):
        dispatch(["restore", str(make_walk(frames=2)), "--learned", str(undo), "-o", str(out)])
    assert not list(tmp_path.glob("guess*"))


def test_a_net_that_draws_undoes_nothing(make_walk: MakeClip, tmp_path: Path) -> None:
    net, out = drawing_net(tmp_path / "same.onnx", DRAWN), tmp_path / "guess.mkv"
    with pytest.raises(InputError, match="a net of the kind 'drawing', not of 'undo'"):
        dispatch(["restore", str(make_walk(frames=2)), "--learned", str(net), "-o", str(out)])
    assert not list(tmp_path.glob("guess*"))
