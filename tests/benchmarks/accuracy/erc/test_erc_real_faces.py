"""The evidence on real faces and the real matcher; skips where the development data is absent."""

from __future__ import annotations

import json

import pytest

from sealshot.benchmarks.accuracy.erc import comparisons
from sealshot.runtime.cli.main import main


@pytest.fixture(scope="module")
def some_people(data, tmp_path_factory):
    """Four people of the harder set, as links."""
    folder = tmp_path_factory.mktemp("some-people")
    for person in sorted((data / "celeba-dev").iterdir())[:4]:
        (folder / person.name).symlink_to(person)
    return folder


def run(capsys, *argv):
    code = main(["erc", *map(str, argv), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_matcher_tells_people_apart(capsys, some_people, reference_models, shared_cache):
    matcher = reference_models / "mobilefacenet_112x96.onnx"
    code, result = run(
        capsys, "leak", some_people, "--of", "quality", "--recognizer", matcher,
        "--cache", shared_cache,
    )  # fmt: skip
    assert code == 0
    found = {leak["what"]: leak for leak in result["leaks"]}
    assert found["matcher mobilefacenet_112x96"]["plain"] > 0.95
    assert found["quality"]["plain"] < 0.7


def test_a_list_of_all_pairs_is_the_folder(
    capsys, some_people, reference_models, shared_cache, monkeypatch
):
    """The same comparisons as a folder and as a list of pairs give the same curves."""
    monkeypatch.setattr(comparisons, "PAIRS_A_PERSON", 10**6)
    options = (
        "--recognizer", reference_models / "mobilefacenet_112x96.onnx", "--score", "sharpness",
        "--score", "confidence", "--fnmr", "0.1", "--cache", shared_cache, "--replicates", "50",
        "--quality-of", "min",
    )  # fmt: skip
    _, folder = run(capsys, some_people, *options, "--pairs", "all")
    pictures = sorted(p.relative_to(some_people) for p in some_people.glob("*/*.jpg"))
    rows = [
        f"{a},{b},{a.parent}"
        for i, a in enumerate(pictures)
        for b in pictures[i + 1 :]
        if a.parent == b.parent
    ]
    pairs = some_people / "pairs.csv"
    pairs.write_text("\n".join(["reference,probe,person", *rows]))
    _, listed = run(capsys, pairs, *options)
    assert folder["setting"]["genuine"] == listed["setting"]["genuine"]
    assert listed["setting"]["genuine"] + listed["setting"]["lost"] == len(rows)
    (one,), (other,) = folder["starts"], listed["starts"]
    assert one["threshold"] == pytest.approx(other["threshold"])
    for a, b in zip(one["scores"], other["scores"], strict=True):
        assert a["pauc"][1] == pytest.approx(b["pauc"][1])
        assert a["fnmr"] == pytest.approx(b["fnmr"])
