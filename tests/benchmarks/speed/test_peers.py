"""Pipelines of others: what they find is judged as ours is, and what they keep alike."""

from __future__ import annotations

import json
import os
import sys

import cv2
import numpy as np
import pytest

from sealshot.benchmarks.speed.peers import command, commands, theirs
from sealshot.benchmarks.speed.peers.command import main, summed
from sealshot.benchmarks.speed.peers.commands import OURS
from sealshot.benchmarks.speed.peers.judge import Found, Judge, Kept
from sealshot.runtime.errors import InputError

OTHER = """
import json, sys, time
box = [100, 100, 160, 170]
print(json.dumps({{
    "frames": 175, "seconds": 0.5, "first_s": time.monotonic(),
    "times": [i / 25 for i in range(175)],
    "tracks": {{"1": [[i, *box] for i in range(20)], "2": [[0, *box]]}},
    "shots": {{"largest": {{"1": [{frame}, *box], "2": [0, *box]}}}},
}}))
"""


def kept(person, lightqnet, distance=None, no_face=False):
    unlike = None if distance is None else 0.0
    return Kept("x.mp4", person, no_face, lightqnet, distance, unlike)


def test_a_glimpse_is_nobody():
    box = np.array([0.0, 0, 50, 50])
    tracks = {1: [(i, box) for i in range(10)], 2: [(3, box)]}
    found = Found([i / 25 for i in range(10)], tracks, {})
    assert found.people().keys() == {1}


def test_pictures_are_compared_of_those_whom_all_show():
    one, other = summed(
        {
            "a, largest": [kept("p", 0.8, 0.5), kept("q", 0.2)],
            "b, sharpest": [kept("p", 0.6, 0.7), kept("q", None, no_face=True)],
        }
    )
    assert (one.pipeline, one.rule, one.people, one.no_face) == ("a", "largest", 2, 0)
    assert (other.pipeline, other.rule, other.no_face) == ("b", "sharpest", 1)
    assert (one.lightqnet, other.lightqnet) == (0.8, 0.6)  # of p alone
    assert (one.compared, one.distance, other.distance) == (1, 0.5, 0.7)


def test_the_sharper_face_is_the_sharper_one():
    image = np.random.default_rng(3).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    soft = cv2.GaussianBlur(image, (9, 9), 0)
    box = [10.2, 10.7, 60.0, 60.0]
    assert theirs.sharpness(image, box) > 10 * theirs.sharpness(soft, box) > 0
    assert theirs.sharpness(image, [-50, -50, -10, -10]) == 0


def test_all_are_measured_in_turns_and_judged(demo, tmp_path, monkeypatch, capsys):
    ours = commands.commands_of

    def with_a_stand_in(_yunet):
        script = OTHER.format(frame=7)
        stand_in = ([sys.executable, "-c", script], os.environ)
        monkeypatch.setattr(commands, "_installed", lambda: tmp_path)
        return {OURS: ours(None)[OURS], "stand-in": lambda _clip: stand_in}

    pytest.importorskip("torch")
    monkeypatch.setattr(command, "commands_of", with_a_stand_in)
    truth = tmp_path / "labels"
    truth.mkdir()
    rows = [f"{i},1,100,100,160,170" for i in range(30)]
    (truth / f"{demo.clip.stem}.csv").write_text("\n".join(["frame,person,x0,y0,x1,y1", *rows]))
    out = tmp_path / "peers.json"
    argv = [str(demo.clip), "--truth", str(truth), "--rounds", "1", "-o", str(out)]
    assert main(argv) == 0
    written = json.loads(out.read_text())
    mine, other = written["runs"]
    assert (mine["pipeline"], mine["frames"], mine["people"]) == (OURS, 175, 2)
    assert other["people"] == 1
    assert other["errors"]["missed"] == 0
    assert mine["errors"]["missed"] == 1  # the label is of nobody
    assert 0 < other["first_s"]["median"] < mine["first_s"]["median"]
    assert mine["once_mb"]["median"] > 60
    said = capsys.readouterr()
    assert "people missed: stand-in" in said.out
    assert "uniface" in said.err


def test_kept_pictures_are_judged_on_their_frames(demo):
    box = (0.0, 0.0, 30.0, 30.0)
    judge = Judge(None, None, None, None)
    judge._main_tracks = lambda *_: {"anybody": 1}
    found = Found([i / 25 for i in range(175)], {1: []}, {"largest": {1: (3, box)}})
    (of,) = judge.kept(demo.clip, {"x": found}).values()
    assert [(one.person, one.no_face) for one in of] == [("anybody", True)]


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        (["{tmp}/none.mp4"], "is not a file"),
        (["{clip}", "--gallery", "{tmp}"], "belong together"),
        (["{clip}", "--yunet", "{tmp}/no.onnx"], "no model"),
        (["{clip}", "--truth", "{tmp}/no"], "no folder"),
    ],
)
def test_wrong_options_are_refused(argv, fact, demo, tmp_path):
    with pytest.raises(InputError, match=fact):
        main([a.format(tmp=tmp_path, clip=demo.clip) for a in argv])
