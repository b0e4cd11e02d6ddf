"""`sealshot erc walks`: of rendered frames it is known which are the best."""

from __future__ import annotations

import json
from itertools import pairwise

import cv2
import numpy as np
import pytest

from sealshot.benchmarks.accuracy.erc.choice import Shots
from sealshot.benchmarks.accuracy.erc.walks import judge, summarise_walks
from sealshot.benchmarks.data.degradations import CLOSED_EYES, make_chip
from sealshot.benchmarks.data.walk import FRAMES, HARMS, NEAR_FROM, UNHARMED, Walk, plan, render
from sealshot.runtime.cli.main import main


def test_which_frame_is_better():
    """Far; near; near and harmed mildly; near and harmed harshly; near and harmed otherwise."""
    harm = np.zeros((5, len(HARMS)), np.int64)
    harm[2, 0], harm[3, 0], harm[4, 1] = 1, 3, 2
    better = Walk(np.array([20, 64, 64, 64, 64], np.float32), harm).better()
    assert better.astype(int).tolist() == [
        [0, 0, 0, 0, 0],  # farther and less harmed: neither is better
        [1, 0, 1, 1, 1],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]


def test_each_walk_has_best_frames_and_many_that_are_not():
    for seed in range(50):
        walk = plan(np.random.default_rng(seed))
        best = np.flatnonzero(~walk.better().any(axis=0))
        assert UNHARMED <= len(best) < FRAMES / 2
        assert best.min() >= NEAR_FROM
        assert (walk.harm[best] == 0).all()
        assert (np.diff(walk.face_px) >= 0).all()
        assert walk.harm.any(axis=0).all()
        assert walk.harm.max() <= 3


def test_judged_by_hand():
    harm = np.zeros((4, len(HARMS)), np.int64)
    harm[2, HARMS.index(CLOSED_EYES)] = 2
    walk = Walk(np.array([20, 40, 64, 64], np.float32), harm)
    # the first frame shows no face that is found; a score may fail
    shots = Shots(
        "walk", 0, np.zeros((3, 2), np.float32),
        np.array([[1, 2, 3], [1, 3, np.nan], [3, 2, 1]], float), np.array([1, 2, 3]),
    )  # fmt: skip
    taken = judge(shots, walk)
    assert taken.better.tolist() == [0, 1 / 3, 1 / 3]
    assert taken.harmed.any(axis=1).tolist() == [False, True, False]
    good, blinks, far = summarise_walks(["good", "blinks", "far"], [taken, taken])
    assert (good.better, good.best, blinks.best, far.best) == (0, 1, 0, 0)
    assert blinks.harmed == {harm: float(harm == CLOSED_EYES) for harm in HARMS}
    assert blinks.better_low == blinks.better == blinks.better_high == pytest.approx(1 / 3)


def test_frames_show_what_the_walk_says(portrait_view):
    """Nearer is larger, dark is darker, and the same numbers draw the same walk."""
    harm = np.zeros((4, len(HARMS)), np.int64)
    harm[2, HARMS.index("darkness")], harm[3, HARMS.index("turned away")] = 3, 3
    walk = Walk(np.array([24, 60, 60, 60], np.float32), harm)
    wall = [np.full((30, 40, 3), 90, np.uint8)]
    chip = make_chip(portrait_view)
    drawn = list(render(chip, walk, wall, seed=1))
    frames = [image for image, _ in drawn]
    changed = [(abs(image.astype(int) - 90) > 25).any(axis=-1).sum() for image in frames]
    assert changed[1] > 4 * changed[0]
    faces = [cv2.getRectSubPix(image, (40, 40), at).astype(float) for image, at in drawn]
    assert faces[2].mean() < 0.4 * faces[1].mean()
    assert abs(faces[3] - faces[1]).mean() > 10
    again = [image for image, _ in render(chip, walk, wall, seed=1)]
    assert all((a == b).all() for a, b in zip(frames, again, strict=True))
    assert all((a != b).any() for a, b in pairwise(frames))


def test_command(capsys, people, models, tmp_path):
    out = tmp_path / "walks.json"
    argv = ["erc", "walks", people, "--recognizer", models / "matcher.onnx", "--people", 2,
            "--score", "quality", "--score", "size", "--cache", tmp_path]  # fmt: skip
    assert main([*map(str, argv), "-o", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "none better" in printed
    assert "Mean distance to the unharmed picture" in printed
    result = json.loads(out.read_text())
    assert result["frames"] == sum(p["shots"] for p in result["people"])
    assert result["frames"] > FRAMES  # of two walks: the face is found in most frames
    quality, size = result["walks"]
    assert (quality["score"], size["score"]) == ("quality", "size")
    assert quality["best"] == 1  # a fine portrait: nothing hinders
    assert quality["harmed"] == dict.fromkeys(HARMS, 0)


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        ("{people}", "--recognizer"),
        ("nowhere {matched}", "nowhere"),
        ("{people} {matched} --background nowhere.mp4", "nowhere.mp4"),
        ("{small} {matched}", "64 px or wider"),
    ],
)
def test_bad_input(argv, fact, capsys, people, models, tmp_path):
    (tmp_path / "small" / "p").mkdir(parents=True)
    for k in range(2):
        portrait = cv2.imread(str(people / "p0" / f"{k}.png"))
        small = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(tmp_path / "small" / "p" / f"{k}.png"), small)
    places = {
        "people": people, "small": tmp_path / "small",
        "matched": f"--recognizer {models}/matcher.onnx --score size --cache {tmp_path}",
    }  # fmt: skip
    assert main(["erc", "walks", *argv.format(**places).split()]) == 2
    assert fact in capsys.readouterr().err
