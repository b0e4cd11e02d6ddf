"""`sealshot erc tracks`: a chosen shot is judged by its distance to a gallery of the person."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from sealshot.benchmarks.accuracy.erc.choice import Shots, choose_for
from sealshot.benchmarks.accuracy.erc.eyes import judge_eyes, read_eyes
from sealshot.benchmarks.accuracy.erc.gallery import Gallery, Portrait
from sealshot.benchmarks.accuracy.erc.labels import (
    ALL,
    QUESTIONS,
    Label,
    count,
    in_order,
    read_labels,
    view,
)
from sealshot.runtime.cli.main import main

ROOT = Path(__file__).parents[4]
DATA = ROOT / "tests" / "data"
LABELS = sorted((DATA / "eyes").glob("*.csv"))
FRAMES = sorted((DATA / "frames").glob("*.csv"))
SECOND = sorted((DATA / "frames-second").glob("*.csv"))
"""What another viewer saw: of most frames nobody else's answers are there."""


def at(*degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_choice_by_hand():
    """Shots at 0, 60 and 90 degrees, pictures of the person at 90 and 120."""
    quality = np.array([[3, 2, 1], [1, 2, 3]], float)
    chosen = choose_for(
        Shots("clip", 1, at(0, 60, 90), quality, np.array([4, 5, 6])), at(90, 120), "euclidean", 1.2
    )
    chord = {d: 2 * np.sin(np.radians(d) / 2) for d in (30, 60, 90, 120)}
    away = [(chord[90] + chord[120]) / 2, (chord[30] + chord[60]) / 2, chord[30] / 2]
    np.testing.assert_allclose(chosen.by_score, [away[0], away[2]], rtol=1e-5)
    assert chosen.frame.tolist() == [4, 6]
    assert chosen.best == pytest.approx(away[2], abs=1e-6)
    assert chosen.at_random == pytest.approx(np.mean(away), rel=1e-6)
    # 90 degrees, 1.41 apart, and 120, 1.73, are missed
    assert chosen.missed.tolist() == [1, 0]


def test_whom_a_track_shows():
    one, two, clip = Path("/1.png"), Path("/2.png"), Path("/clip.mkv")
    track = Shots("clip.mkv", 1, at(8, 12), np.zeros((1, 2)), np.arange(2))
    portraits = (
        Portrait("ann", one, at(20)),
        Portrait("bob", two, at(12)),
        Portrait("ann", clip, at(8, 12)),
    )
    gallery = Gallery(portraits, "cosine")
    # the clip lies in Ann's folder: it is Ann, and what is in the clip itself does not count
    name, others = gallery.others(track, clip, 0.5)
    assert name == "ann"
    np.testing.assert_allclose(others, at(20), rtol=1e-6)
    # another clip may show anybody: it is the nearest
    assert gallery.others(track, Path("/else.mkv"), 0.5)[0] in ("ann", "bob")
    assert Gallery(portraits[:2], "cosine").others(track, Path("/else.mkv"), 0.5)[0] == "bob"
    far = Shots("clip.mkv", 2, at(170), np.zeros((1, 1)), np.arange(1))
    assert gallery.others(far, clip, 0.5) is None
    assert Gallery(portraits[2:], "cosine").others(track, clip, 0.5) is None
    assert len(gallery.impostor()) == 3  # of Bob's picture to the three of Ann


def test_eyes_by_hand():
    labels = [(0, 1, "open"), (3, 4, "closed")]
    quality = np.array([[4, 2, 0, 3, 1], [1, 2, 9, 2, 2], [0, 0, 0, 5, 4]], float)
    eyes = judge_eyes(Shots("clip", 1, at(0, 0, 0, 0, 0), quality, np.arange(5)), labels)
    assert eyes.chosen == ("open", "not labelled", "closed")
    assert (eyes.opened, eyes.closed) == (2, 2)
    assert eyes.ordered.tolist() == [3 / 4, 1 / 4, 0]
    assert judge_eyes(Shots("c", 1, at(0, 0), quality[:, :2], np.arange(2)), labels) is None


@pytest.mark.parametrize("file", LABELS, ids=[file.stem for file in LABELS])
def test_labels_of_clips_have_both_and_do_not_overlap(file):
    rows = sorted(read_eyes(file))
    assert {eyes for *_, eyes in rows} == {"open", "closed"}
    assert all(last < first for (_, last, _), (first, *_) in itertools.pairwise(rows))


def label(frame, answers, x=5):
    return Label(frame, x, 5, dict(zip(QUESTIONS, answers.split(), strict=True)))


def test_labels_by_hand():
    """Three frames, of which one has all but a sharp face, one sharp eyes shut, one no label."""
    labels = [
        label(0, "open camera closed slightly yes frontal"),
        label(1, "closed away closed yes yes frontal"),
        label(1, "open camera closed yes yes frontal", x=25),  # somebody else
    ]
    quality = np.array([[3, 2, 1], [1, 3, 2], [1, 2, 3]], float)
    box = np.tile(np.float32([0, 0, 10, 10]), (3, 1))
    viewed = view(Shots("clip", 1, at(0, 0, 0), quality, np.arange(3), box), labels)
    assert viewed.frame == (0, 1, 2)
    assert viewed.answers == (labels[0].answers, labels[1].answers, None)
    assert {what for what, possible in viewed.possible.items() if possible} == set(QUESTIONS)
    chose = [count([viewed, viewed], score) for score in range(3)]
    assert [had["eyes"] for had in chose] == [(2, 2), (0, 2), (0, 2)]
    assert [had["sharp"] for had in chose] == [(0, 2), (2, 2), (0, 2)]
    assert [had[ALL] for had in chose] == [(0, 0)] * 3
    beside = box + np.float32([20, 0, 20, 0])
    other = view(Shots("clip", 2, at(0, 0, 0), quality, np.arange(3), beside), labels)
    assert other.answers == (None, labels[2].answers, None)
    assert count([viewed, other], 1)[ALL] == (1, 1)


def test_pairs_of_labelled_frames():
    """Two sharp ones, a softer and an unlabelled one; of one nobody could tell the eyes."""
    labels = [
        label(0, "open camera closed yes yes frontal"),
        label(1, "open away closed yes yes frontal"),
        label(2, "closed unclear closed slightly yes frontal"),
        label(3, "unclear away closed no yes frontal"),
    ]
    quality = np.array([[3, 2, 1, 0, 9], [1, np.nan, 2, 2, 9], [2, 2, 2, 3, 9]], float)
    box = np.tile(np.float32([0, 0, 10, 10]), (5, 1))
    viewed = view(Shots("clip", 1, at(0, 0, 0, 0, 0), quality, np.arange(5), box), labels)
    assert viewed.pairs == {"eyes": 2, "gaze": 2, "mouth": 0, "sharp": 4, "whole": 0, "turned": 0}
    ordered = [[of[q] for of in viewed.ordered] for q in ("eyes", "gaze", "sharp")]
    assert ordered == [[2, 0, 1], [2, 1, 0.5], [4, 0, 1]]


def test_share_of_the_pairs_in_order():
    """Four tracks, one without a pair; a score that is as good in each, one that is in some."""
    first, alike, other = in_order([2, 0, 4, 2], [[1, 0, 2, 1], [1, 0, 2, 1], [2, 0, 4, 0]])
    assert (first.pairs, first.share, first.ahead) == (8, 0.5, 0)
    assert alike == first
    assert (other.pairs, other.share, other.ahead) == (8, 0.75, 0.25)
    # the draw of the last track alone is behind by a half, all without it are ahead by a half
    assert (other.ahead_low, other.ahead_high) == (-0.5, 0.5)
    assert (first.cell(), other.cell(" %")) == ("50", "75 % (+25 [-50, 50])")


def test_no_pair_says_nothing():
    for of in in_order([0, 0], [[0, 0], [0, 0]]):
        assert of.pairs == 0
        assert np.isnan([of.share, of.ahead, of.ahead_low, of.ahead_high]).all()
        assert of.cell() == "nan"


@pytest.mark.parametrize(
    "file", FRAMES + SECOND, ids=lambda file: f"{file.parent.name}-{file.stem}"
)
def test_each_face_is_labelled_once(file):
    rows = read_labels(file)
    assert rows
    assert len({(row.frame, row.x, row.y) for row in rows}) == len(rows)


def test_two_viewers_agree_as_often_as_is_told():
    """The figures of `benchmarks/TRIED.md`, "By hand"."""
    same, both, seen = dict.fromkeys(QUESTIONS, 0), 0, 0
    for file in SECOND:
        first = read_labels(DATA / "frames" / file.name)
        for label in read_labels(file):
            seen += 1
            for other in first:
                near = max(abs(other.x - label.x), abs(other.y - label.y)) < 5  # pixels
                if other.frame == label.frame and near:
                    both += 1
                    for question, answer in label.answers.items():
                        same[question] += other.answers[question] == answer
    assert (seen - both, both) == (85, 16)
    told = {"whole": 16, "mouth": 14, "turned": 14, "gaze": 12, "eyes": 10, "sharp": 10}
    assert same == told
    text = " ".join((ROOT / "benchmarks" / "TRIED.md").read_text().split())
    assert "in 16, mouth and turn 14, gaze 12, eyes and sharpness 10" in text


@pytest.fixture
def walk(people, tmp_path):
    """A clip as a folder: one person stands still while the focus comes and goes."""
    portrait = cv2.imread(str(people / "p0" / "0.png"))
    folder = tmp_path / "walk"
    folder.mkdir()
    for i in range(10):
        picture = cv2.GaussianBlur(portrait, (0, 0), 0.4 + 0.25 * abs(i - 6))
        cv2.imwrite(str(folder / f"{i:02}.png"), np.roll(picture, i, axis=1))
    return folder


def test_command(capsys, people, walk, models, tmp_path):
    gallery, labels, frames = (tmp_path / name for name in ("gallery", "eyes", "frames"))
    (gallery / "p0").mkdir(parents=True)
    (gallery / "p0" / "1.png").symlink_to(people / "p0" / "1.png")
    (gallery / "p0" / "walk").symlink_to(walk)
    labels.mkdir()
    (labels / "walk.csv").write_text("first,last,eyes\n0,3,closed\n5,8,open\n")
    frames.mkdir()
    middle = ",".join(str(side / 2) for side in cv2.imread(str(walk / "06.png")).shape[1::-1])
    (frames / "walk.csv").write_text(
        f"frame,x,y,{','.join(QUESTIONS)}\n6,{middle},open,camera,closed,yes,yes,frontal\n"
        f"0,{middle},open,away,closed,no,yes,frontal\n"
    )
    argv = ["erc", "tracks", walk, "--gallery", gallery, "--recognizer", models / "matcher.onnx",
            "--score", models / "sharp.onnx", "--score", "random", "--eyes", labels,
            "--labels", frames]  # fmt: skip
    out = tmp_path / "tracks.json"
    assert main([*map(str, argv), "-o", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert json.loads(out.read_text()) == result
    (track,) = result["people"]
    assert track["shots"] == 10
    assert track["frame"]["sharp"] == 6
    assert track["best"] <= track["by_score"]["sharp"]
    assert result["gallery"] == [{"person": "p0", "pictures": 1}]
    (eyes,) = result["eyes"]
    assert eyes["chosen"]["sharp"] == "open"
    assert eyes["ordered"]["sharp"] > 0.9
    (seen,) = result["labels"]
    assert seen["frame"]["sharp"] == 6
    assert seen["answers"]["sharp"]["gaze"] == "camera"
    assert seen["possible"][ALL]
    assert (seen["pairs"]["sharp"], seen["ordered"]["sharp"]["sharp"]) == (1, 1)
    assert main([*map(str, argv)]) == 0
    printed = capsys.readouterr().out
    assert "the gallery of 1 people" in printed
    assert "Tracks with open and closed eyes: 1, of 4 open and 4 closed frames" in printed
    assert "Tracks labelled by hand: 1" in printed
    assert "all of it (of 1)" in printed
    assert "sharp: yes (of 1)" in printed.partition("Share of the pairs")[2]
    (labels / "walk.csv").write_text("first,last,eyes\n5,8,open\n")
    assert main([*map(str, argv)]) == 0
    assert "Tracks with open and closed eyes: 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        ("{walk} {matched}", "--gallery"),
        ("{walk} {matched} --gallery nowhere", "nowhere"),
        ("{walk} {matched} --gallery {empty}", "shows nobody"),
        ("{walk} {matched} --gallery {itself}", "shows anybody of"),
        ("{walk} {matched} --gallery {itself} --eyes nowhere", "nowhere"),
        ("{walk} {matched} --gallery {itself} --labels nowhere", "nowhere"),
        ("{walk} {matched} --gallery {itself} --tracker dog", "no tracker"),
        ("nowhere.mp4 {matched} --gallery {itself}", "nowhere.mp4"),
        ("{walk} {matched} --gallery {itself} --eyes {bad}", "holds no labels"),
        ("{walk} {matched} --gallery {itself} --labels {bad}", "holds no labels"),
        ("{walk} {matched} --gallery {itself} --labels {odd}", "'blue' of eyes"),
        ("{walk} {matched} --gallery {itself} --labels {off}", "says -6,nan,1"),
        ("{walk} {matched} --gallery {itself} --labels {empty}", "labels of none of the clips"),
        ("{walk} {matched} --gallery {itself} --eyes {empty}", "labels of none of the clips"),
        ("{walk} {matched} --gallery {itself} --eyes {huge}", "holds no labels of eyes: field"),
        ("{walk} {matched} --gallery {itself} --labels {huge}", "holds no labels of frames: field"),
    ],
)
def test_bad_input(argv, fact, capsys, people, walk, models, tmp_path):
    empty, itself, bad, odd, off, huge = (
        tmp_path / name for name in ("empty", "itself", "bad", "odd", "off", "huge")
    )
    for folder in (empty, itself / "p0", bad, odd, off, huge):
        folder.mkdir(parents=True)
    (itself / "p0" / "walk").symlink_to(walk)
    (bad / "walk.csv").write_text("frame,eyes\n1,open\n")
    for folder, label in (odd, "6,1,1,blue"), (off, "-6,nan,1,open"):
        (folder / "walk.csv").write_text(
            f"frame,x,y,{','.join(QUESTIONS)}\n{label},camera,closed,yes,yes,frontal\n"
        )
    (huge / "walk.csv").write_text("first,last,eyes\n0,1," + 200_000 * "o")
    if {"{bad}", "{odd}", "{off}", "{huge}", "dog", "nowhere.mp4"} & set(argv.split()):
        (itself / "p0" / "1.png").symlink_to(people / "p0" / "1.png")
    places = {
        "walk": walk, "empty": empty, "itself": itself, "bad": bad, "odd": odd, "off": off,
        "huge": huge,
        "matched": f"--recognizer {models}/matcher.onnx --score size",
    }  # fmt: skip
    assert main(["erc", "tracks", *argv.format(**places).split()]) == 2
    assert fact in capsys.readouterr().err
