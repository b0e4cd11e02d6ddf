"""Manifests: what a model file says of itself, and what is refused."""

import hashlib
import json
from dataclasses import replace

import pytest

from sealshot.runtime.engines.manifest import Manifest, load_manifest, quantiles
from sealshot.runtime.errors import InputError

CONTENT = b"not really a model"
MANIFEST = Manifest(
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


@pytest.mark.parametrize(
    ("break_it", "fact"),
    [
        (lambda m: m.unlink(), "there is no model file"),
        (lambda m: m.with_suffix(".json").unlink(), "has no manifest"),
        (lambda m: m.write_bytes(b"other"), "is not the file that"),
        (lambda m: m.with_suffix(".json").write_text("{"), "not a model manifest"),
        (lambda m: m.with_suffix(".json").write_text("[]"), "not a model manifest"),
        (lambda m: damage(m, surprise=1), "not a model manifest"),
        (lambda m: damage(m, score_quantiles=[1, 2]), "101 score quantiles"),
        *(
            (lambda m, v=value: damage(m, screen_margin=v), "screen_margin is .*, not a number")
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
    damage(model, screen_margin=margin)
    assert load_manifest(model).screen_margin == margin


def test_a_manifest_from_before_margins_has_none(model):
    path = model.with_suffix(".json")
    fields = json.loads(path.read_text())
    del fields["screen_margin"]
    path.write_text(json.dumps(fields))
    assert load_manifest(model).screen_margin is None


def test_a_manifest_cannot_be_changed():
    with pytest.raises(AttributeError):
        MANIFEST.name = "x"
    assert replace(MANIFEST, name="x").name == "x"
