"""Measures of one face: what they like, what they refuse, and that they are repeatable."""

from __future__ import annotations

import pickle
from dataclasses import replace

import cv2
import numpy as np
import pytest

from sealshot.benchmarks.accuracy.measures import (
    SIMPLE,
    brisque,
    networks,
    open_measure,
    open_measures,
)
from sealshot.benchmarks.accuracy.measures.inner import numbers_inside
from sealshot.benchmarks.accuracy.measures.measure import cost_ms, rate_faces
from sealshot.benchmarks.accuracy.measures.portrait import icao
from sealshot.benchmarks.accuracy.measures.simple import at_random, confidence, sharpness, size
from sealshot.runtime.errors import InputError
from sealshot.runtime.pipeline.visibility import NAMES, visibility

TOLD = [f"told:{name.replace(' ', '-')}" for name in NAMES]


def blurred(make_view, view, sigma):
    image = cv2.GaussianBlur(view.image(), (0, 0), sigma)
    return make_view(image, view.face.box, view.face.landmarks)


def test_simple_measures_see_what_they_are_for(make_view, portrait_view):
    soft = blurred(make_view, portrait_view, 3)
    assert sharpness(soft) < sharpness(portrait_view)
    assert size(portrait_view) == 90 * 104
    assert confidence(make_view(portrait_view.image(), confidence=0.25)) == 0.25


def test_what_a_reason_tells_is_a_measure(make_view, portrait_view):
    soft = blurred(make_view, portrait_view, 3)
    before, after = np.concatenate(
        [m.rate([portrait_view, soft])[:, None] for m in open_measures(TOLD)], axis=1
    )
    assert (
        before.tolist() == visibility(portrait_view.image(), portrait_view.face.landmarks).tolist()
    )
    assert after[0] < before[0]
    assert len({m.key for m in open_measures(TOLD)}) == len(TOLD)


def test_random_is_uniform_and_the_same_in_every_run(make_view):
    rng = np.random.default_rng(0)
    views = [make_view(rng.integers(0, 255, (64, 64, 3), np.uint8)) for _ in range(300)]
    values = np.array([at_random(view) for view in views])
    assert values.tolist() == [at_random(view) for view in views]
    assert 0.45 < values.mean() < 0.55
    assert 0.25 < values.std() < 0.33  # 0.289 if uniform


@pytest.mark.parametrize(
    "worse",
    [
        pytest.param(
            lambda m: m + np.array([[0, 0], [0, 0], [12, 0], [0, 0], [0, 0]]), id="turned"
        ),
        pytest.param(
            lambda m: m + np.array([[0, 0], [0, 0], [0, 9], [0, 0], [0, 0]]), id="nodding"
        ),
        pytest.param(
            lambda m: m + np.array([[0, 0], [0, 0], [6, 0], [12, 0], [12, 0]]), id="sheared"
        ),
        pytest.param(lambda m: np.tile(m.mean(axis=0), (5, 1)), id="all in one point"),
    ],
)
def test_icao_wants_a_face_that_looks_straight_ahead(worse, make_view, portrait_view):
    marks = worse(portrait_view.face.landmarks)
    view = make_view(portrait_view.image(), portrait_view.face.box, marks)
    assert 0 <= icao(view) < icao(portrait_view) <= 1


def test_icao_wants_focus_even_light_and_size(make_view, portrait_view):
    face, image = portrait_view.face, portrait_view.image()
    good = icao(portrait_view)
    assert icao(blurred(make_view, portrait_view, 3)) < good
    shade = image.copy()
    shade[:, 121:] //= 3
    assert icao(make_view(shade, face.box, face.landmarks)) < good
    small = cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    assert icao(make_view(small, face.box / 4, face.landmarks / 4)) < good


@pytest.mark.parametrize(
    ("top", "bottom", "colour"),
    [
        pytest.param(-0.9, -0.4, (170, 60, 20), id="cap"),
        pytest.param(-0.15, 0.2, (25, 25, 25), id="sunglasses"),
    ],
)
def test_icao_wants_nothing_over_forehead_and_eyes(top, bottom, colour, make_view, portrait_view):
    face, image = portrait_view.face, portrait_view.image().copy()
    (left, right), unit = face.landmarks[:2], face.landmarks[3, 1] - face.landmarks[0, 1]
    rows = (round(float(left[1] + part * unit)) for part in (top, bottom))
    image[slice(*rows), int(left[0] - 20) : int(right[0] + 20)] = colour
    covered = make_view(image, face.box, face.landmarks)
    same_crop = replace(covered, crop=portrait_view.crop)  # neither focus nor light differ
    assert icao(same_crop) < 0.9 * icao(portrait_view)


def test_icao_does_not_mind_a_tilted_camera(make_view, portrait_view):
    face, image = portrait_view.face, portrait_view.image()
    turn = cv2.getRotationMatrix2D((120, 120), 30, 1.0)
    marks = face.landmarks @ turn[:, :2].T + turn[:, 2]
    tilted = make_view(cv2.warpAffine(image, turn, image.shape[1::-1]), face.box, marks)
    same_crop = replace(tilted, crop=portrait_view.crop)
    assert icao(same_crop) == pytest.approx(icao(portrait_view), rel=0.05)


def test_measures_of_a_data_set_are_kept_and_failures_leave_first(
    people, models, shared_cache, capsys
):
    from sealshot.benchmarks.data.cache import Cache
    from sealshot.benchmarks.data.dataset import read_folder
    from sealshot.benchmarks.data.faces import find_faces

    cache = Cache(shared_cache)
    faces = find_faces(read_folder(people), "mtcnn", cache)

    class Failing:
        name, key, macs, calls = "failing", "failing", None, 0

        def rate(self, views):
            self.calls += 1
            return np.array([np.nan if v.crop is views[0].crop else 1.0 for v in views])

    failing = Failing()
    quality = rate_faces(failing, faces, cache)
    assert quality[0] == -np.inf
    assert (quality[1:] == 1).all()
    assert "failing failed on 1 faces" in capsys.readouterr().err
    calls = failing.calls
    rate_faces(failing, faces, cache)
    assert failing.calls == calls
    graph = open_measure(str(models / "sharp.onnx"), threads=1)
    np.testing.assert_allclose(  # in batches as one by one
        rate_faces(graph, faces, cache),
        [graph.rate([faces.view(i)])[0] for i in range(len(faces))],
        rtol=1e-5,
    )
    assert 0 < cost_ms(graph, faces) < 1000


def test_labels(models):
    graph = str(models / "sharp.onnx")
    assert [m.name for m in open_measures([*SIMPLE, graph, f"mine={graph}"])] == [
        *SIMPLE, "sharp", "mine",
    ]  # fmt: skip
    with pytest.raises(InputError, match="two scores are called 'size'"):
        open_measures(["size", f"size={graph}"])


@pytest.mark.parametrize("spec", ["", "=", "Size", "lightqnet", "reconstruction", "x=y", "rp:"])
def test_unknown_measure_is_refused(spec):
    with pytest.raises(InputError, match="no score") as caught:
        open_measure(spec)
    assert "sharpness" in caught.value.hint


def test_reconstruction_error_by_hand(write_onnx, make_view, tmp_path):
    """A graph that gives 0.5 and 0.25 as two samples of each pixel."""
    from onnx import TensorProto, helper

    path = write_onnx(
        tmp_path / "half.onnx",
        [
            helper.make_node("Cast", ["crops"], ["x"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["x", "shape"], ["flat"]),
            helper.make_node("Mul", ["flat", "zero"], ["nothing"]),
            helper.make_node("Add", ["nothing", "samples"], ["mu"]),
        ],
        [("mu", TensorProto.FLOAT, ["n", 2, 4096])],
        {
            "shape": np.array([-1, 1, 4096]),
            "zero": np.float32(0),
            "samples": np.array([[[0.5]], [[0.25]]], np.float32).reshape(1, 2, 1),
        },
    )
    measure = open_measure(f"reconstruction:{path}")
    black, white = (make_view(np.full((64, 64, 3), v, np.uint8)) for v in (0, 255))
    expected = [4096 * (0.5**2 + 0.25**2) / 2, 4096 * (0.5**2 + 0.75**2) / 2]
    np.testing.assert_allclose(-measure.rate([black, white]), expected)


def test_a_graph_without_one_number_a_crop_is_no_score(write_onnx, tmp_path):
    from onnx import TensorProto, helper

    path = write_onnx(
        tmp_path / "many.onnx",
        [helper.make_node("Cast", ["crops"], ["score"], to=TensorProto.FLOAT)],
        [("score", TensorProto.FLOAT, ["n", 1, 64, 64])],
    )
    with pytest.raises(InputError, match="not one number a crop"):
        open_measure(str(path))


def test_numbers_inside_a_graph(models):
    graph = str(models / "sharp.onnx")
    crops = np.random.default_rng(0).integers(0, 255, (40, 64, 64), dtype=np.uint8)
    (score,) = numbers_inside(graph, crops).values()
    edges = np.stack([cv2.Laplacian(c, cv2.CV_64F)[1:-1, 1:-1] for c in crops])
    np.testing.assert_allclose(score, (edges**2).mean(axis=(1, 2)), rtol=1e-5)
    (named,) = numbers_inside(f"{graph}:mean", crops).values()
    np.testing.assert_array_equal(named, score)
    for tensor, fact in (("x", "not 1 to 2048"), ("nothing", "has no tensor"), ("*", "not 2 to")):
        with pytest.raises(InputError, match=fact):
            numbers_inside(f"{graph}:{tensor}", crops)


# --- BRISQUE ---


def write_brisque(folder, *, vectors=2, low=-1.0):
    """A regression of two support vectors whose value can be computed by hand."""
    rows = ["1 " + " ".join(f"{i}:0" for i in range(1, 37))]
    rows.append("-0.5 " + " ".join(f"{i}:{1 if i == 1 else 0}" for i in range(1, 37)))
    head = "svm_type epsilon_svr\nkernel_type rbf\ngamma 0.5\nnr_class 2\ntotal_sv 2\nrho -3\nSV\n"
    (folder / "svm.txt").write_text(head + "\n".join(rows[:vectors]) + "\n")
    ranges = {"min_": [low] * 36, "max_": [1.0] * 36}
    (folder / "normalize.pickle").write_bytes(pickle.dumps(ranges))
    return folder


def test_brisque_regression_by_hand(tmp_path):
    write_brisque(tmp_path)
    model = brisque.read_regression(tmp_path / "svm.txt", tmp_path / "normalize.pickle")
    assert model.predict(np.zeros(36)) == pytest.approx(1 - 0.5 * np.exp(-0.5) + 3)
    first = np.eye(36)[0]
    assert model.predict(first) == pytest.approx(np.exp(-0.5) - 0.5 + 3)


@pytest.mark.parametrize("shape", [0.6, 1.0, 2.0, 4.0])
def test_brisque_finds_the_shape_of_known_noise(shape):
    """A generalised Gaussian of a known shape: Laplacian is 1, normal is 2."""
    rng = np.random.default_rng(0)
    x = rng.gamma(1 / shape, 1.0, 200_000) ** (1 / shape) * rng.choice([-1, 1], 200_000)
    ratio = np.mean(x**2) / np.mean(np.abs(x)) ** 2
    found = brisque._nearest_shape(-brisque.SYMMETRIC, -ratio)
    assert found == pytest.approx(shape, rel=0.02)
    left_twice_as_wide = rng.random(200_000) < 2 / 3
    skewed = np.where(left_twice_as_wide, -2 * np.abs(x), np.abs(x))
    assert brisque._asymmetric(skewed)[0] == pytest.approx(shape, rel=0.05)
    left, right = brisque._asymmetric(skewed)[2:]
    assert left == pytest.approx(4 * right, rel=0.05)


def test_brisque_features_know_noise_from_blur(portrait_view):
    grey = cv2.cvtColor(portrait_view.image(), cv2.COLOR_BGR2GRAY).astype(float)
    noisy = grey + 20 * np.random.default_rng(0).standard_normal(grey.shape)
    clean, soft, rough = (
        brisque.extract(x) for x in (grey, cv2.GaussianBlur(grey, (0, 0), 2), noisy)
    )
    assert clean.shape == (36,)
    assert soft[1] < clean[1] < rough[1]  # variance of the normalised pixels
    assert np.isfinite(brisque.extract(np.full((64, 64), 7.0))).all()


def test_brisque_of_a_view(tmp_path, make_view, portrait_view):
    measure = open_measure(f"brisque:{write_brisque(tmp_path)}")
    values = measure.rate([portrait_view, blurred(make_view, portrait_view, 2)])
    assert values.shape == (2,)
    assert values[0] != values[1]


class Evil:
    def __reduce__(self):
        return (print, ("opened",))


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: (f / "svm.txt").unlink(),
        lambda f: (f / "svm.txt").write_text("junk"),
        lambda f: (f / "svm.txt").write_text("gamma 1\nrho 2\nSV\n1 1:2 2:3\n"),
        lambda f: (f / "normalize.pickle").write_bytes(b""),
        lambda f: (f / "normalize.pickle").write_bytes(pickle.dumps({"min_": [1]})),
        lambda f: (f / "normalize.pickle").write_bytes(pickle.dumps(Evil())),
    ],
)
def test_brisque_refuses_a_bad_model(damage, tmp_path, capsys):
    damage(write_brisque(tmp_path))
    with pytest.raises(InputError, match="BRISQUE"):
        open_measure(f"brisque:{tmp_path}")
    assert "opened" not in capsys.readouterr().out


# --- LightQNet ---


def test_lightqnet(reference_models, make_view, portrait_view):
    path = reference_models / "lightqnet-dm025.pb"
    measure = open_measure(f"lightqnet:{path}")
    soft = blurred(make_view, portrait_view, 4)
    together = measure.rate([portrait_view, soft])
    assert together[1] < together[0]
    np.testing.assert_allclose(measure.rate([soft]), together[1:], rtol=1e-4)
    assert measure.macs == 6_907_536
    # counting inner layers on the same network changes its scores (OpenCV 5.0): it must not be
    uncounted = replace_net(measure, networks._read_tensorflow(path))
    np.testing.assert_allclose(uncounted.rate([portrait_view, soft]), together, rtol=1e-6)


def replace_net(measure, net):
    measure._net = net
    return measure


def test_frozen_view_is_not_changed_by_measures(portrait_view):
    before = portrait_view.crop.copy()
    for name in SIMPLE:
        open_measure(name).rate([portrait_view, replace(portrait_view)])
    np.testing.assert_array_equal(portrait_view.crop, before)
