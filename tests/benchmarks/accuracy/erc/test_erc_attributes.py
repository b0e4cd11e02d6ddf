"""`sealshot erc attributes`: what a score makes of a smile, within a person."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sealshot.benchmarks.accuracy.erc.attributes import rise
from sealshot.runtime.cli.main import main


def test_a_rise_is_within_people_and_at_equal_light():
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(40), 25)
    merry = rng.random(40)[person]  # some smile more than others, and are liked more
    smile, hat = (rng.random((2, 1000)) < [merry, np.full(1000, 0.3)]).astype(float)
    light = rng.normal(size=1000) + smile  # who smiles stands in better light
    noise = rng.normal(size=1000)
    quality = 5 * merry + 2 * light - hat + noise
    found = rise(quality, np.stack([smile, hat], 1), light[:, None], person)
    assert found[0, 1] < 0 < found[0, 2]
    assert found[0, 2] - found[0, 1] < 0.2
    spread = np.std(2 * light - hat + noise)
    assert found[1, 1] < -1 / spread < found[1, 2] < 0
    assert rise(quality, smile[:, None], noise[:, None], person)[0, 1] > 0.5


@pytest.fixture
def listed(people, tmp_path):
    names = sorted({file.name for file in people.glob("*/*")})
    rows = ["file,Smiling", *(f"{name},{i % 2}" for i, name in enumerate(names))]
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "list.csv"


def test_command(capsys, people, listed, models):
    argv = ["erc", "attributes", people, "--attributes", listed, "--of", "Smiling",
            "--score", models / "sharp.onnx", "--cache", listed.parent / "cache"]  # fmt: skip
    out = listed.parent / "out.json"
    assert main([*map(str, argv), "-o", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert json.loads(out.read_text()) == result
    assert [score["score"] for score in result["scores"]] == ["sharp"]
    assert result["attributes"][0]["people"] > 0
    assert main([*map(str, argv)]) == 0
    assert "Smiling" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        (None, "holds no such attributes"),
        ("file,Hat\n", "says nothing of"),
        ("file,Smiling\n0.png,perhaps\n", "holds no such attributes"),
    ],
)
def test_bad_input(text, fact, capsys, people, tmp_path):
    if text:
        (tmp_path / "list.csv").write_text(text)
    argv = ["erc", "attributes", people, "--attributes", tmp_path / "list.csv", "--of",
            "Hat" if text and "Hat" in text else "Smiling", "--score", "size"]  # fmt: skip
    assert main([*map(str, argv)]) == 2
    assert fact in capsys.readouterr().err
