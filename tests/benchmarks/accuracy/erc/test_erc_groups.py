"""`sealshot erc groups`: what is left of a gap between groups when the picture is as good."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sealshot.benchmarks.accuracy.erc.groups import People, gap, ranks
from sealshot.runtime.cli.main import main

AGES = [5, 15, 30, 30, 30, 80]
SEXES = ["male", "female", "male", "female", "male", "female"]
ETHNICITIES = ["white", "black", "white", "white", "black", "white"]


def test_groups_by_hand():
    people = People(np.array(AGES), np.array(SEXES), np.array(ETHNICITIES))
    groups = {name: np.flatnonzero(of).tolist() for name, of in people.groups().items()}
    assert groups == {
        "black adults": [4],
        "white adults": [2, 3],
        "female adults": [3],
        "male adults": [2, 4],
        "children up to 10": [0],
        "11 to 19": [1],
        "70 and over": [5],
    }
    assert people.factors()["black adults"].tolist() == [0, 1, 0, 0, 1, 0]
    assert people.factors()["female adults"].tolist() == [0, 1, 0, 1, 0, 1]
    found = ranks(np.array([1.0, 2, 3, 4, 5, 6]), people.groups())
    assert found["70 and over"]["rank"] == pytest.approx(100 * 5.5 / 6)
    assert found["children up to 10"] == {"rank": pytest.approx(100 / 12), "lowest": 1.0}


def test_a_gap_that_the_light_explains_is_none():
    rng = np.random.default_rng(0)
    old, child = (rng.random((2, 4000)) < 0.3).astype(float)
    light = rng.normal(size=4000) - old  # the old stand in worse light
    quality = 2 * light - child + rng.normal(size=4000)
    found = gap(quality, {"old": old, "child": child}, light[:, None])
    assert found["old"]["low"] < 0 < found["old"]["high"]
    assert found["old"]["high"] - found["old"]["low"] < 0.2
    wanted = -1 / quality.std()
    assert found["child"]["low"] < wanted < found["child"]["high"] < 0
    unheld = gap(quality, {"old": old, "child": child}, rng.normal(size=(4000, 1)))
    assert unheld["old"]["high"] < -0.5


@pytest.fixture
def listed(people, tmp_path):
    files = sorted(people.glob("*/*.png"))
    (tmp_path / "images").mkdir()
    rows = ["file,age,sex,ethnicity"]
    for i, file in enumerate(files):
        (tmp_path / "images" / f"{i}.png").symlink_to(file)
        rows.append(f"{i}.png,{AGES[i % 6]},{SEXES[i % 6]},{ETHNICITIES[i % 6]}")
    (tmp_path / "faces.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_command(capsys, listed, models):
    argv = ["erc", "groups", listed, "--score", models / "sharp.onnx", "--score", "size",
            "--cache", listed / "cache"]  # fmt: skip
    assert main([*map(str, argv), "-o", str(listed / "out.json"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert json.loads((listed / "out.json").read_text()) == result
    assert [score["score"] for score in result["scores"]] == ["sharp", "size"]
    assert set(result["groups"]) == set(result["scores"][0]["ranks"])
    assert "white adults" not in result["scores"][0]["gaps"]
    assert main([*map(str, argv)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("70 and over") == 2


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        (None, "holds no list"),
        ("file,age\n0.png,3\n", "holds no list"),
        ("file,age,sex,ethnicity\n0.png,old,male,white\n", "holds no list"),
        ("file,age,sex,ethnicity\n9999.png,3,male,white\n", "1 of 1 pictures"),
    ],
)
def test_bad_input(text, fact, capsys, tmp_path):
    if text:
        (tmp_path / "faces.csv").write_text(text)
    assert main(["erc", "groups", str(tmp_path), "--score", "size"]) == 2
    assert fact in capsys.readouterr().err
