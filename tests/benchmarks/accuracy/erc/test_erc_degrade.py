"""`sealshot erc degrade`: a sharpness falls under blur, its opposite rises, and the gate tells."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sealshot.benchmarks.accuracy.erc.degrade import Falls
from sealshot.benchmarks.data.degradations import DEGRADATIONS
from sealshot.runtime.cli.main import main

NAMES = [d.name for d in DEGRADATIONS]


def run(capsys, people, cache, *argv):
    code = main(["erc", "degrade", str(people), "--cache", str(cache), *map(str, argv)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_shares_are_what_the_scores_do(capsys, people, models, shared_cache, tmp_path):
    code, out, _ = run(
        capsys, people, shared_cache, "--score", models / "sharp.onnx",
        "--score", models / "broken.onnx", "--score", "size", "--json", "-o", tmp_path,
    )  # fmt: skip
    assert code == 0
    result = json.loads(out)
    assert json.loads((tmp_path / "degrade.json").read_text()) == result
    assert {p.name for p in tmp_path.iterdir()} == {"degrade.json", "degrade.svg", "degrade.png"}
    assert [d["name"] for d in result["degradations"]] == NAMES
    assert result["faces"] == 10  # the sharper half of twenty
    sharp, broken, size = (score["fell"] for score in result["scores"])
    blur, noise = NAMES.index("Gaussian blur"), NAMES.index("noise")
    assert sharp[blur] == [1, 1, 1]
    assert sharp[noise] == [0, 0, 0]
    assert broken[blur] == [0, 0, 0]
    assert broken[noise] == [1, 1, 1]
    for a, b in zip(sharp, broken, strict=True):  # no ties: one falls where the other rises
        assert [x + y for x, y in zip(a, b, strict=True)] == pytest.approx([1, 1, 1])
    assert size[blur] == size[noise] == [0, 0, 0]  # equal is not lower
    assert result["scores"][0]["rank"][blur] == [0, 0, 0]  # below every clean face


def test_a_fall_is_compared_with_what_a_matcher_loses(capsys, people, models, shared_cache):
    argv = ("--score", models / "sharp.onnx", "--score", models / "broken.onnx")
    matcher = ("--recognizer", models / "matcher.onnx")
    code, out, _ = run(capsys, people, shared_cache, *argv, "--score", "size", *matcher, "--json")
    assert code == 0
    matched = json.loads(out)["matcher"]
    moved = np.array(matched["moved"])
    assert moved.shape == (len(NAMES), 3)
    blur, rotation = NAMES.index("Gaussian blur"), NAMES.index("rotation")
    assert 0 < moved[blur, 0] < moved[blur, 1] < moved[blur, 2]
    assert moved[rotation].max() < moved[blur].max()  # alignment undoes it
    follows = matched["follows"]
    assert follows["broken"] == pytest.approx(-follows["sharp"], abs=0.05)
    assert follows["size"] is None  # it never falls
    code, out, _ = run(capsys, people, shared_cache, *argv, *matcher)
    assert f"sharp {follows['sharp']:.2f}, broken {follows['broken']:.2f}" in out
    assert "matcher moves" in out


def test_follows_by_hand():
    moved = np.arange(3.0 * len(NAMES)).reshape(-1, 3)
    assert Falls("s", moved, -moved).follows(moved) == pytest.approx(1)
    assert Falls("s", moved, moved).follows(moved) == pytest.approx(-1)
    rank = -moved
    rank[NAMES.index("non-face")] = 99  # does not count
    assert Falls("s", moved, rank).follows(moved) == pytest.approx(1)


def test_table_and_gate(capsys, people, models, shared_cache):
    code, out, err = run(
        capsys, people, shared_cache, "--score", models / "sharp.onnx", "--require", "0.9"
    )
    assert code == 1
    assert "noise" in err
    assert "Gaussian blur" not in err
    assert all(name in out for name in NAMES)
    code, _, _ = run(
        capsys, people, shared_cache, "--score", models / "sharp.onnx", "--require", "0"
    )
    assert code == 0


def test_same_seed_same_result(capsys, people, shared_cache):
    argv = (people, shared_cache, "--score", "sharpness", "--faces", "4", "--json")
    first, again, other = (
        json.loads(run(capsys, *argv, "--seed", seed)[1])["scores"] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        (["--score", "beauty"], "no score"),
        (["--faces", "0"], "--faces"),
        (["--require", "2"], "share from 0 to 1"),
        (["--require", "most"], "share from 0 to 1"),
    ],
)
def test_bad_input(argv, fact, capsys, people, shared_cache):
    code, _, err = run(capsys, people, shared_cache, *argv)
    assert code == 2
    assert fact in err


def test_small_faces_prove_nothing(capsys, people, shared_cache, tmp_path):
    import cv2

    for k in range(2):
        picture = cv2.imread(str(people / "p0" / f"{k}.png"))
        (tmp_path / "p").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "p" / f"{k}.png"), cv2.resize(picture, None, fx=0.5, fy=0.5))
    code, _, err = run(capsys, tmp_path, shared_cache, "--score", "sharpness")
    assert code == 2
    assert "64 px or wider" in err
