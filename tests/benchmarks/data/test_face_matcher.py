"""The matcher: alignment by similarity, unit embeddings, declared or refused."""

from __future__ import annotations

import json

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealshot.benchmarks.data.matcher import KNOWN, Matcher, distances
from sealshot.runtime.alignment import similarity
from sealshot.runtime.errors import InputError

POINTS = np.array([[30.3, 51.7], [65.5, 51.5], [48, 71.7], [33.5, 92.4], [62.7, 92.2]])


@given(
    st.floats(-3.1, 3.1), st.floats(0.1, 10), st.floats(-500, 500), st.floats(-500, 500),
)  # fmt: skip
def test_similarity_is_recovered(angle, scale, right, down):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = POINTS @ turn.T + [right, down]
    matrix = similarity(POINTS, target)
    np.testing.assert_allclose(matrix[:, :2], turn, atol=1e-6 * scale)
    np.testing.assert_allclose(POINTS @ matrix[:, :2].T + matrix[:, 2], target, atol=1e-6)


def test_similarity_is_the_least_squares_one():
    rng = np.random.default_rng(0)
    source = rng.normal(size=(5, 2))

    def error(m):
        return np.sum((source @ m[:, :2].T + m[:, 2] - POINTS) ** 2)

    best = similarity(source, POINTS)
    for _ in range(200):  # no similarity near it is better
        a, b, x, y = rng.normal(size=4) * 0.1
        other = best + np.array([[a, -b, x], [b, a, y]])
        assert error(other) > error(best)


def test_similarity_of_one_point_only_shifts():
    np.testing.assert_allclose(
        similarity(np.ones((5, 2)), np.full((5, 2), 3.0)), [[1, 0, 2], [0, 1, 2]]
    )


def test_aligned_face_has_its_landmarks_where_they_belong(models):
    matcher = Matcher(models / "matcher.onnx")
    image = np.zeros((600, 600, 3), np.uint8)
    turn = cv2.getRotationMatrix2D((150, 200), 25, 2.0)
    marks = POINTS @ turn[:, :2].T + turn[:, 2] + [200, 200]
    for x, y in marks.round().astype(int):
        cv2.circle(image, (int(x), int(y)), 5, (255, 255, 255), -1)
    aligned = matcher.align(image, marks.astype(np.float32))
    assert aligned.shape == (112, 96, 3)
    for x, y in POINTS.round().astype(int):
        assert aligned[y, x, 0] > 200
    assert aligned[5, 5, 0] == 0


def test_embeddings_have_length_one_and_know_channels(models):
    matcher = Matcher(models / "matcher.onnx")
    image = np.random.default_rng(0).integers(0, 255, (112, 96, 3), dtype=np.uint8)
    one, mirror, swapped = matcher.embed([image, image[:, ::-1], image[..., ::-1]])
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-6)
    assert len(one) == 252  # the picture and its mirror image
    np.testing.assert_allclose(one[:126], mirror[126:], atol=1e-6)
    assert np.abs(one - swapped).max() > 0.01


def fixed(models, tmp_path, batch):
    """A copy of the matcher that takes so many pictures at once."""
    model = onnx.load(models / "matcher.onnx")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    onnx.save(model, tmp_path / "fixed.onnx")
    (tmp_path / "fixed.json").write_text((models / "matcher.json").read_text())
    return tmp_path / "fixed.onnx"


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_a_matcher_of_a_fixed_batch_embeds_any_number(models, tmp_path, batch):
    images = list(np.random.default_rng(0).integers(0, 255, (5, 112, 96, 3), dtype=np.uint8))
    free = Matcher(models / "matcher.onnx").embed(images)
    np.testing.assert_allclose(Matcher(fixed(models, tmp_path, batch)).embed(images), free)


def test_a_matcher_that_takes_one_without_saying_so_gets_one_at_a_time(models, tmp_path):
    model = onnx.load(models / "matcher.onnx")
    flatten = next(node for node in model.graph.node if node.op_type == "Flatten")
    shape = onnx.numpy_helper.from_array(np.array([1, 126]), "one")
    model.graph.initializer.append(shape)
    model.graph.node.remove(flatten)
    model.graph.node.append(onnx.helper.make_node("Reshape", ["tiles", "one"], ["embedding"]))
    onnx.save(model, tmp_path / "one.onnx")
    (tmp_path / "one.json").write_text((models / "matcher.json").read_text())
    images = list(np.random.default_rng(0).integers(0, 255, (3, 112, 96, 3), dtype=np.uint8))
    free = Matcher(models / "matcher.onnx").embed(images)
    np.testing.assert_allclose(Matcher(tmp_path / "one.onnx").embed(images), free)


def of_another_input(models, path, kind, shape):
    node = onnx.helper.make_node("Flatten", ["image"], ["out"])
    values = [onnx.helper.make_tensor_value_info("image", kind, shape)]
    outputs = [onnx.helper.make_tensor_value_info("out", kind, None)]
    graph = onnx.helper.make_graph([node], "g", values, outputs)
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    path.with_suffix(".json").write_text((models / "matcher.json").read_text())


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (onnx.TensorProto.UINT8, ["n", 3, 112, 96]),
        (onnx.TensorProto.FLOAT16, ["n", 3, 112, 96]),
        (onnx.TensorProto.FLOAT, ["n", 112, 96, 3]),
        (onnx.TensorProto.FLOAT, ["n", 3]),
    ],
)
def test_what_a_model_takes_instead_is_told_in_one_sentence(models, tmp_path, kind, shape):
    of_another_input(models, tmp_path / "m.onnx", kind, shape)
    with pytest.raises(InputError, match=r"must take one image, float \[n, 3.*and takes") as told:
        Matcher(tmp_path / "m.onnx")
    assert "\n" not in told.value.fact


def test_a_model_that_gives_no_embeddings_is_told(models, tmp_path):
    model = onnx.load(models / "matcher.onnx")
    model.graph.node.pop()
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("tiles", 1, None))
    onnx.save(model, tmp_path / "m.onnx")
    (tmp_path / "m.json").write_text((models / "matcher.json").read_text())
    with pytest.raises(InputError, match=r"must give embeddings .* for 1 it gives \[1, 3, 7, 6\]"):
        Matcher(tmp_path / "m.onnx")


def test_distances_of_unit_vectors():
    a, b = np.array([[1, 0], [1, 0]], np.float32), np.array([[0, 1], [1, 0]], np.float32)
    np.testing.assert_allclose(distances(a, b, "euclidean"), [2**0.5, 0])
    np.testing.assert_allclose(distances(a, b, "cosine"), [1, 0])


GOOD = {"size": [96, 112], "points": POINTS.tolist()}


@pytest.mark.parametrize(
    ("sidecar", "fact"),
    [
        (None, "declares no alignment"),
        ("", "not an alignment"),
        ("[]", "not an alignment"),
        ({}, "not an alignment"),
        ({**GOOD, "points": POINTS[:4].tolist()}, "five points"),
        ({**GOOD, "size": [96]}, "not an alignment"),
        ({**GOOD, "size": [0, 112]}, "five points"),
        ({**GOOD, "scale": 0}, "scale"),
        ({**GOOD, "channels": "GBR"}, "GBR"),
        ({**GOOD, "distance": "far"}, "far"),
        ({**GOOD, "colour": 1}, "colour"),
        ({**GOOD, "size": [112, 112]}, "takes 96x112 pictures, its alignment says 112x112"),
    ],
)
def test_alignment_must_be_declared_and_sound(sidecar, fact, models, tmp_path):
    model = tmp_path / "m.onnx"
    model.write_bytes((models / "matcher.onnx").read_bytes())
    if sidecar is not None:
        text = sidecar if isinstance(sidecar, str) else json.dumps(sidecar)
        model.with_suffix(".json").write_text(text)
    with pytest.raises(InputError, match=fact) as caught:
        Matcher(model)
    assert caught.value.hint


def test_a_score_graph_is_no_matcher(models, tmp_path):
    model = tmp_path / "m.onnx"
    model.write_bytes((models / "sharp.onnx").read_bytes())
    model.with_suffix(".json").write_text(json.dumps(GOOD))
    with pytest.raises(InputError, match="not a matcher"):
        Matcher(model)


def test_known_matcher_needs_no_sidecar(reference_models):
    matcher = Matcher(reference_models / "mobilefacenet_112x96.onnx", threads=1)
    assert matcher.sha256 in KNOWN
    assert matcher.alignment.size == (96, 112)
    assert matcher.embed([np.zeros((112, 96, 3), np.uint8)]).shape == (1, 256)
