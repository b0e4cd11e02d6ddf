"""Leakage: numbers that name people are found out, numbers that do not are not."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sealshot.benchmarks.accuracy.erc.comparisons import pairs_of_people
from sealshot.benchmarks.accuracy.erc.leakage import measure, within_class_whitening
from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import InputError

PEOPLE = np.repeat(np.arange(60), 6)


def test_numbers_that_know_nothing_are_at_chance():
    rng = np.random.default_rng(0)
    for width in (1, 16):
        leak = measure("noise", rng.standard_normal((360, width)), PEOPLE)
        assert leak.numbers == width
        assert leak.plain == pytest.approx(0.5, abs=0.04)
        assert leak.plain_low < 0.5 < leak.plain_high
    assert leak.trained == pytest.approx(0.5, abs=0.04)


def test_numbers_that_name_the_person_are_found_out():
    rng = np.random.default_rng(1)
    name = rng.standard_normal((60, 16))[PEOPLE]
    leak = measure("names", name + 0.01 * rng.standard_normal(name.shape), PEOPLE)
    assert leak.plain > 0.999
    assert leak.trained > 0.999
    single = measure("a name as a number", PEOPLE * 1.0, PEOPLE)
    assert single.plain > 0.98
    assert single.trained is None
    assert single.worst == single.plain


def test_training_sees_through_what_differs_in_one_person():
    """Two numbers tell people apart, and sixteen loud ones change from picture to picture."""
    rng = np.random.default_rng(2)
    name = rng.standard_normal((60, 2))[PEOPLE]
    loud = rng.standard_normal((360, 1)) * np.ones(16) + 0.1 * rng.standard_normal((360, 16))
    leak = measure("hidden", np.hstack([name, loud]), PEOPLE)
    assert leak.plain < 0.75
    assert leak.trained > leak.plain + 0.15


def test_auc_by_hand():
    """Of a single number, each genuine pair against each impostor pair, ties half."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, 12, 360) + PEOPLE // 6
    left, right = pairs_of_people(PEOPLE)
    near = np.abs(x[left] - x[right])
    far = np.abs(x[:, None] - x[None])[PEOPLE[:, None] != PEOPLE[None]]
    wins = (near[:, None] < far[None, ::7]).mean() + (near[:, None] == far[None, ::7]).mean() / 2
    assert measure("x", x, PEOPLE).plain == pytest.approx(wins, abs=0.01)


def test_scale_and_constant_columns_do_not_matter():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((60, 3))[PEOPLE] + rng.standard_normal((360, 3))
    a = measure("a", x, PEOPLE)
    b = measure("b", np.hstack([x * [1, 1e6, 1e-6] + 5, np.full((360, 1), 7.0)]), PEOPLE)
    assert a.plain == pytest.approx(b.plain, abs=1e-6)
    assert b.numbers == 3


def test_whitening_makes_people_vary_alike_in_all_directions():
    rng = np.random.default_rng(5)
    people = np.repeat(np.arange(500), 10)
    x = rng.standard_normal((500, 3))[people] + rng.standard_normal((5000, 3)) * [1, 5, 0.5]
    y = x @ within_class_whitening(x, people)
    within = y - np.stack([y[people == p].mean(axis=0) for p in range(500)])[people]
    spread = np.linalg.eigvalsh(within.T @ within / len(y))
    assert spread.max() / spread.min() < 3  # it was 100; the floor keeps a rest


@pytest.mark.parametrize("numbers", [np.ones((360, 2)), np.full((360, 1), np.nan)])
def test_useless_numbers_are_refused(numbers):
    with pytest.raises(InputError):
        measure("x", numbers, PEOPLE)


def test_command(capsys, people, models, shared_cache, tmp_path):
    argv = [
        "erc", "leak", people, "--of", models / "sharp.onnx", "--of", f"{models}/sharp.onnx:mean",
        "--recognizer", models / "matcher.onnx", "--cache", shared_cache,
    ]  # fmt: skip
    assert main([*map(str, argv), "-o", str(tmp_path / "leak.json"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "leak.json").read_text()) == result
    assert (result["people"], result["faces"]) == (4, 20)
    found = {leak["what"]: leak for leak in result["leaks"]}
    assert found["matcher matcher"]["plain"] > 0.9  # four tints are easy to tell apart
    graph = f"{models}/sharp.onnx"
    assert found[graph]["plain"] == found[f"{graph}:mean"]["plain"] < 0.8
    assert main([*map(str, argv)]) == 0
    assert "0.5 is chance" in capsys.readouterr().out
    assert main([*map(str, argv), "-o", str(tmp_path)]) == 2  # a folder: no result in its place
    printed = capsys.readouterr()
    assert not printed.out  # told before the work, not after
    assert f"cannot write {tmp_path}" in printed.err


@pytest.mark.parametrize(
    ("of", "fact"),
    [("beauty", "no score"), ("{m}/none.onnx", "no model"), ("{m}/sharp.onnx:y", "no tensor")],
)
def test_bad_input(of, fact, capsys, people, models, shared_cache):
    of = of.format(m=models)
    assert main(["erc", "leak", str(people), "--of", of, "--cache", str(shared_cache)]) == 2
    assert fact in capsys.readouterr().err
