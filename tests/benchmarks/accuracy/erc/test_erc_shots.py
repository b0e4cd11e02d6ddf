"""`sealshot erc shots`: a chosen shot is judged by its distance to the other shots of its track."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from sealshot.benchmarks.accuracy.erc.choice import Shots, choose, summarise, threshold_of
from sealshot.runtime.cli.main import main


def track_of(angles, *qualities):
    angles = np.asarray(angles, float)
    embedding = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return Shots("clip", 1, embedding, np.array(qualities, float), np.arange(len(angles)))


def test_choice_by_hand():
    """Three shots at 0, 60 and 90 degrees: the middle one is nearest to the others."""
    track = track_of(np.radians([0, 60, 90]), [1, 2, 3], [3, 2, 1], [1, 9, 1], [np.nan, 1, 0])
    chord = {d: 2 * np.sin(np.radians(d) / 2) for d in (30, 60, 90)}
    means = [(chord[60] + chord[90]) / 2, (chord[60] + chord[30]) / 2, (chord[90] + chord[30]) / 2]
    chosen = choose(track, "euclidean", 1.2)
    np.testing.assert_allclose(chosen.by_score, [means[2], means[0], means[1], means[1]], rtol=1e-6)
    assert chosen.at_random == pytest.approx(np.mean(means))
    assert chosen.best == pytest.approx(means[1])
    # only 0 to 90 degrees, 1.41 apart, is missed
    assert chosen.missed.tolist() == [0.5, 0.5, 0, 0]
    assert chosen.missed_at_random == pytest.approx(1 / 3)
    cosine = choose(track, "cosine", np.inf)
    assert cosine.missed.tolist() == [0, 0, 0, 0]
    assert cosine.best == pytest.approx(((1 - 0.5) + (1 - np.cos(np.radians(30)))) / 2, rel=1e-5)


def test_threshold_is_set_by_people_seen_together(capsys):
    assert threshold_of(np.arange(100) / 100, 0.05) == 0.05
    assert threshold_of(np.ones(3), 0.05) == np.inf
    assert "no threshold" in capsys.readouterr().err


def test_summary_is_from_random_to_best():
    rng = np.random.default_rng(1)
    tracks = []
    for _ in range(40):
        angles = rng.normal(size=12)
        typical = -np.abs(angles - np.median(angles))
        tracks.append(choose(track_of(angles, typical, rng.random(12), -typical), "euclidean", 1.0))
    best, random, worst = summarise(["typical", "random", "odd"], tracks)
    assert 0.9 < best.gained <= 1
    assert best.behind == best.behind_low == best.behind_high == 0
    assert random.gained_low < 0 < random.gained_high
    assert worst.gained_high < 0
    assert 0 < random.behind_low < random.behind_high
    assert worst.distance > random.distance > best.distance
    assert worst.missed_low > random.missed > best.missed_high >= best.missed


def test_a_folder_a_person_is_no_clip(people, models, capsys):
    matcher = str(models / "matcher.onnx")
    assert main(["erc", "shots", str(people), "--recognizer", matcher]) == 2
    assert "add --photos" in capsys.readouterr().err


@pytest.fixture
def walk(people, tmp_path):
    """A clip as a folder: one person stands still while the focus comes and goes."""
    portrait = cv2.imread(str(people / "p0" / "0.png"))
    for i in range(14):
        picture = cv2.GaussianBlur(portrait, (0, 0), 0.4 + 0.25 * abs(i - 6))
        cv2.imwrite(str(tmp_path / f"{i:02}.png"), np.roll(picture, i, axis=1))
    return tmp_path


def test_command(capsys, walk, models, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "new" / "shots.json"
    argv = ["erc", "shots", walk, "--recognizer", models / "matcher.onnx", "--score",
            models / "sharp.onnx", "--score", "random"]  # fmt: skip
    assert main([*map(str, argv), "-o", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert json.loads(out.read_text()) == result
    (track,) = result["people"]
    assert track["shots"] == 14
    assert list(track["by_score"]) == ["sharp", "random"]
    assert track["best"] <= track["by_score"]["sharp"]
    assert [s["score"] for s in result["scores"]] == ["sharp", "random"]
    assert main([*map(str, argv)]) == 0
    printed = capsys.readouterr()
    assert "People: 1, shots: 14" in printed.out
    assert "no threshold" in printed.err  # there are never two people in a frame
    assert result["threshold"] is None


def test_photographs(capsys, people, models, tmp_path):
    argv = ["erc", "shots", "--photos", people, "--recognizer", models / "matcher.onnx", "--score",
            models / "sharp.onnx", "--score", "size", "--min-shots", 3, "--cache",
            tmp_path]  # fmt: skip
    assert main([*map(str, argv), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    # two of the files show no face
    assert [(p["person"], p["shots"]) for p in result["people"]] == [(i, 5) for i in range(4)]
    assert {p["source"] for p in result["people"]} == {people.name}
    assert result["threshold"] > 0  # people of different names set it


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        ("{walk}", "--recognizer"),
        ("--photos nowhere {matched} --score size", "nowhere"),
        ("nowhere.mp4 {matched}", "nowhere.mp4"),
        ("{walk} {matched} --score beauty", "no score"),
        ("{walk} {matched} --score size --tracker dog", "no tracker"),
        ("{walk} {matched} --score size --min-shots 15", "nobody has 15 shots"),
        ("{walk}/00.png {matched} --score size --min-shots 1", "nobody has 3 shots"),
    ],
)
def test_bad_input(argv, fact, capsys, walk, models):
    places = {"walk": walk, "matched": f"--recognizer {models}/matcher.onnx"}
    assert main(["erc", "shots", *argv.format(**places).split()]) == 2
    assert fact in capsys.readouterr().err
