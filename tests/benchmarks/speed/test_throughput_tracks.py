"""Tracks scored frame by frame: who chooses the same frame, and what the command writes."""

import json

import numpy as np
import pytest

from sealshot.benchmarks.speed.throughput.command import main
from sealshot.benchmarks.speed.throughput.tracks import Footage, same_choice
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Track, Tracks


def footage(*frames):
    """A clip whose frames show these tracks; the pixels of a crop are its number."""
    face = Face(np.zeros(4, np.float32), 1, np.zeros((5, 2), np.float32))
    made, number = [], 0
    for ids in frames:
        crops = np.zeros((len(ids), 1, 64, 64), np.uint8)
        for crop in crops:
            crop[:] = number
            number += 1
        made.append((crops, Tracks(tuple(Track(id, face, 1) for id in ids), ())))
    return Footage("clip", tuple(made))


CLIP = footage([1, 2], [2, 1], [], [1, 3])


def test_frames_are_scored_in_their_order_with_their_tracks():
    seen = []

    def score(crops, tracks):
        seen.append([track.id for track in tracks.seen])
        return crops[:, 0, 0, 0].astype(np.float32)

    assert CLIP.scores(score).tolist() == [0, 1, 2, 3, 4, 5]
    assert seen == [[1, 2], [2, 1], [], [1, 3]]


def test_tracks_are_those_of_two_faces_or_more():
    assert [track.tolist() for track in CLIP.tracks] == [[0, 3, 4], [1, 2]]


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ([9, 1, 2, 8, 7, 0], 1.0),
        ([9, 1, 2, 8, 7, 99], 1.0),  # a track of one face has no choice
        ([8, 1, 2, 9, 7, 0], 0.5),
        ([8, 2, 1, 9, 7, 0], 0.0),
    ],
)
def test_the_same_choice(other, same):
    one = np.array([9, 1, 2, 8, 7, 0], np.float32)
    assert same_choice([CLIP], [one], [np.array(other, np.float32)]) == same
    assert same_choice([CLIP, CLIP], [one, one], [one, np.array(other)]) == (1 + same) / 2


def test_the_command_measures_prints_and_writes(demo, tmp_path, capsys):
    out = tmp_path / "tracks.json"
    argv = ["--tracks", str(demo.clip), "--score", "rp", "--engines", "onnxruntime,tensorrt,peers"]
    argv += ["--rounds", "1", "--seconds", "0.01", "-o", str(out)]
    assert main(argv) == 0
    said = capsys.readouterr()
    assert "rp int8 + fp32, onnxruntime" in said.out
    assert "not measured: rp fp32, tensorrt" in said.err
    written = json.loads(out.read_text())
    assert written["kind"] == "tracks"
    assert (written["clips"][0]["name"], written["tracks"]) == ("clip.avi", 2)
    rows = {row["name"]: row for row in written["rows"]}
    assert list(rows) == [
        "rp fp32, onnxruntime",
        "rp int8, onnxruntime",
        "rp int8 + fp32, onnxruntime",
    ]
    full, _, screen = rows.values()
    assert full["same"] == full["to_fp32"]["median"] == 1
    assert full["again"] is None
    assert screen["same"] == 1
    assert 0 < screen["again"]["clip.avi"] == screen["again"]["all"] < 1
    assert str(tmp_path) not in out.read_text()


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        (["{tmp}/absent.mp4"], "not a file"),
        (["{clip}", "--score", "beauty"], "no score"),
        (["{clip}", "--score", "rp", "--engines", "tensorrt"], "nothing of this can run here"),
        (["{clip}", "--batch", "4"], "leave --batch out"),
        (["{clip}", "--clip", "other.mp4"], "leave --clip out"),
        ([], "expected at least one"),
    ],
)
def test_wrong_options_are_refused(argv, fact, demo, tmp_path):
    given = [a.format(tmp=tmp_path, clip=demo.clip) for a in argv]
    with pytest.raises(InputError, match=fact):
        main(["--tracks", *given])
