"""`sealshot erc shots`: a chosen photograph is judged by its distance to the others."""

from __future__ import annotations

import json

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


def test_command(capsys, people, models, tmp_path):
    out = tmp_path / "new" / "shots.json"
    argv = ["erc", "shots", people, "--recognizer", models / "matcher.onnx", "--score",
            models / "sharp.onnx", "--score", "random", "--min-shots", 3, "--cache",
            tmp_path]  # fmt: skip
    assert main([*map(str, argv), "-o", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert json.loads(out.read_text()) == result
    # two of the files show no face
    assert [(p["person"], p["shots"]) for p in result["people"]] == [(i, 5) for i in range(4)]
    assert {p["source"] for p in result["people"]} == {people.name}
    assert all(list(p["by_score"]) == ["sharp", "random"] for p in result["people"])
    assert all(p["best"] <= p["by_score"]["sharp"] for p in result["people"])
    assert [s["score"] for s in result["scores"]] == ["sharp", "random"]
    assert result["threshold"] > 0  # people of different names set it
    assert main([*map(str, argv)]) == 0
    assert "People: 4, shots: 20" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        ("{people}", "--recognizer"),
        ("nowhere {matched} --score size", "nowhere"),
        ("{people} {matched} --score beauty", "no score"),
        ("{people} {matched} --score size --min-shots 15", "nobody has 15 shots"),
    ],
)
def test_bad_input(argv, fact, capsys, people, models, tmp_path):
    places = {"people": people, "matched": f"--recognizer {models}/matcher.onnx"}
    cache = [] if fact == "--recognizer" else ["--cache", str(tmp_path)]
    assert main(["erc", "shots", *argv.format(**places).split(), *cache]) == 2
    assert fact in capsys.readouterr().err
