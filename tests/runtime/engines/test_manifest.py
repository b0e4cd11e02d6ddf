"""Manifests: what a model file says of itself, and what is refused."""

import hashlib
import json
from dataclasses import replace

import pytest

from sealshot.runtime.engines.manifest import (
    FORMAT,
    Manifest,
    ScoreManifest,
    load_manifest,
    quantiles,
    read_manifest,
)
from sealshot.runtime.errors import InputError

CONTENT = b"not really a model"
MANIFEST = ScoreManifest(
    name="rp",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    architecture="a",
    parameters=1,
    macs_per_face=2,
    precision="fp32",
    samples=10,
    seed=1,
    training_set="t",
    training_set_sha256="s",
    opset=17,
    score_quantiles=tuple(float(i) for i in range(101)),
)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "rp.onnx"
    path.write_bytes(CONTENT)
    MANIFEST.write(path)
    return path


def test_what_is_written_is_read(model):
    assert load_manifest(model) == MANIFEST


@pytest.mark.parametrize(
    ("score", "percentile"), [(-5, 0), (0, 0), (12.5, 12.5), (100, 100), (1e9, 100)]
)
def test_percentile(score, percentile):
    assert MANIFEST.percentile(score) == percentile


def test_quantiles_are_101_and_rise():
    values = quantiles([3.0, 1.0, 2.0])
    assert len(values) == 101
    assert (values[0], values[50], values[100]) == (1.0, 2.0, 3.0)
    assert list(values) == sorted(values)


def damage(model, **fields):
    path = model.with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def damage_score(model, **fields):
    damage(model, score={**json.loads(model.with_suffix(".json").read_text())["score"], **fields})


@pytest.mark.parametrize(
    ("break_it", "fact"),
    [
        (lambda m: m.unlink(), "there is no model file"),
        (lambda m: m.with_suffix(".json").unlink(), "has no manifest"),
        (lambda m: m.write_bytes(b"other"), "is not the file that"),
        (lambda m: m.with_suffix(".json").write_text("{"), "not a model manifest"),
        (lambda m: m.with_suffix(".json").write_text("[]"), "not a model manifest"),
        (lambda m: damage_score(m, surprise=1), "not a model manifest"),
        (lambda m: damage_score(m, score_quantiles=[1, 2]), "101 score quantiles"),
        *(
            (
                lambda m, v=value: damage_score(m, screen_margin=v),
                "is .*, not a number of 0",
            )
            for value in (float("nan"), float("inf"), -1e-9, 1e39, 10**400, "5", True, [5], {})
        ),
    ],
)
def test_what_does_not_fit_is_refused(model, break_it, fact):
    break_it(model)
    with pytest.raises(InputError, match=fact) as caught:
        load_manifest(model)
    assert caught.value.hint


@pytest.mark.parametrize("margin", [None, 0, 3, 2.5])
def test_a_margin_is_a_number_or_not_known(model, margin):
    damage_score(model, screen_margin=margin)
    assert load_manifest(model).screen_margin == margin


def of_version_0_1(model):
    """The fields as version 0.1 wrote them."""
    fields = json.loads(model.with_suffix(".json").read_text())
    assert fields.pop("format") == FORMAT
    return fields.pop("score") | fields


def test_a_manifest_of_version_0_1_is_read(model):
    model.with_suffix(".json").write_text(json.dumps(of_version_0_1(model)))
    assert load_manifest(model) == MANIFEST


def test_a_manifest_from_before_margins_has_none(model):
    fields = of_version_0_1(model)
    del fields["screen_margin"]
    model.with_suffix(".json").write_text(json.dumps(fields))
    assert load_manifest(model).screen_margin is None


def test_a_manifest_has_a_core_that_all_models_share_and_a_part_of_its_kind(model):
    fields = json.loads(model.with_suffix(".json").read_text())
    assert fields["score"].keys() == {
        "macs_per_face", "samples", "seed", "training_set", "training_set_sha256",
        "score_quantiles", "screen_margin", "eyes_weight",
        "smile_weight", "turn_weight",
    }  # fmt: skip
    core = read_manifest(model, Manifest)
    assert (core.name, core.sha256, core.precision) == ("rp", MANIFEST.sha256, "fp32")


def test_a_manifest_of_a_later_version_is_refused_and_says_so(model):
    damage(model, format=FORMAT + 1)
    with pytest.raises(InputError, match=r"is of format 4, and this version reads up to 3") as it:
        load_manifest(model)
    assert it.value.hint == "update sealshot"


@pytest.mark.parametrize("written", [0, -1, "2", None, 1.5, [2]])
def test_a_format_that_is_none_is_refused(model, written):
    damage(model, format=written)
    with pytest.raises(InputError, match=r"not a model manifest: .* is no format"):
        load_manifest(model)


def test_a_manifest_of_another_kind_is_no_score(model):
    damage(model, score=None)
    with pytest.raises(InputError, match="not a model manifest"):
        load_manifest(model)
    path = model.with_suffix(".json")
    fields = json.loads(path.read_text())
    del fields["score"]
    path.write_text(json.dumps({**fields, "detector": {}}))
    with pytest.raises(InputError, match="a net of the kind 'detector', not of 'score'") as told:
        load_manifest(model)
    assert told.value.hint == ScoreManifest.WAY
    assert read_manifest(model, Manifest).name == "rp"
    path.write_text(json.dumps(fields))
    with pytest.raises(InputError, match="says nothing of 'score'"):
        load_manifest(model)


def test_a_manifest_cannot_be_changed():
    with pytest.raises(AttributeError):
        MANIFEST.name = "x"
    assert replace(MANIFEST, name="x").name == "x"
