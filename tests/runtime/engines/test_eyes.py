"""Closed eyes, grins and turned heads: what is made of them, and what that does to a choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sealshot.export.golden import golden_crops
from sealshot.runtime.alignment import cut_eyes
from sealshot.runtime.engines import Scorer, Screen, open_engine, open_for_tracks
from sealshot.runtime.engines.eyes import EYES, Eyes, copy_eyes
from sealshot.runtime.engines.heedful import Expression, Heedful, open_expression
from sealshot.runtime.engines.manifest import load_manifest, sidecar
from sealshot.runtime.engines.shared import shared
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Ratings, Track, Tracks
from sealshot.runtime.weights import FOLDER, score_graph

CROPS = golden_crops()
QUALITY = score_graph("quality")
LANDMARKS = np.float32([[22, 25], [42, 25], [32, 35], [24, 47], [40, 47]])
"""Where the golden crops are drawn with them, nearly."""


def side_by_side(crops):
    """A frame of crops in a row, and their tracks."""
    image = np.hstack([np.repeat(crop[0][..., None], 3, axis=2) for crop in crops])
    seen = []
    for i in range(len(crops)):
        box, landmarks = [64 * i, 0, 64 * i + 64, 64], LANDMARKS + np.float32([64 * i, 0])
        seen.append(Track(i, Face(np.float32(box), 1.0, landmarks), 1))
    return image, Tracks(tuple(seen), ())


def expression():
    """Of the score that ships."""
    return open_expression(QUALITY, load_manifest(QUALITY))


def test_a_choice_goes_by_quality_by_the_odds_of_open_eyes_by_the_mouth_and_by_the_turn():
    image, tracks = side_by_side(CROPS)
    opened = Eyes(FOLDER / EYES).open(cut_eyes(image, [t.face.landmarks for t in tracks.seen]))
    assert ((opened >= 0) & (opened <= 1)).all()
    scorer = open_for_tracks(QUALITY, "onnxruntime", threads=1)
    quality = open_engine(QUALITY, "onnxruntime", threads=1).score(CROPS)
    manifest = load_manifest(QUALITY)
    assert min(manifest.eyes_weight, manifest.smile_weight, manifest.turn_weight) > 0
    rated = scorer.rate_frame(image, tracks)
    assert rated.quality == pytest.approx(quality, abs=1e-5)
    odds = np.clip(np.log(opened / (1 - opened)), -4, 5)
    behind = np.minimum(odds - 2, 0) + np.maximum(odds - 2, 0) / 2 - 1.5
    assert rated.components[:, 0] == pytest.approx(manifest.eyes_weight * behind, abs=1e-4)
    assert rated.components[:, 1] == pytest.approx(0)  # 16 px of 20: narrow
    assert rated.components[:, 2] == pytest.approx(0)  # the nose in the middle
    assert rated.order == pytest.approx(quality + rated.components.sum(axis=1), abs=1e-4)
    assert scorer.rate_frame(image, Tracks((), ())).order.shape == (0,)
    assert not scorer.rate_tracks(CROPS, tracks).components.size  # crops alone show too little


@pytest.mark.parametrize(
    ("width", "less"), [(0, 0), (0.5, 0), (0.9, 0), (0.93, 0.03), (0.98, 0.08), (1, 0.1), (3, 0.1)]
)
def test_a_broad_mouth_costs_something_and_pursed_lips_gain_nothing(width, less):
    weight = load_manifest(QUALITY).smile_weight
    landmarks = LANDMARKS.copy()
    landmarks[3:, 0] = 32 - 10 * width, 32 + 10 * width
    for seen in (landmarks, 3 * landmarks[:, ::-1]):  # whatever its size and turn
        face = Face(np.float32([0, 0, 64, 64]), 1.0, seen)
        (counted,) = expression().components(np.zeros((64, 64, 3), np.uint8), [face])
        assert counted[1] == pytest.approx(-weight * less, abs=1e-4)


@pytest.mark.parametrize("way", [-1, 1])
@pytest.mark.parametrize(
    ("aside", "less"), [(0, 0), (0.09, 0), (0.1, 0), (0.13, 0.03), (0.3, 0.2), (0.4, 0.3), (2, 0.3)]
)
def test_a_nose_off_the_middle_costs_something_to_either_side_wherever_it_nods(aside, less, way):
    weight = load_manifest(QUALITY).turn_weight
    landmarks = LANDMARKS.copy()  # 22 px from the eyes to the mouth
    for nod in (28, 35, 44):
        landmarks[2] = 32 + way * 22 * aside, nod
        leaning = (landmarks - 32) @ np.float32([[0.8, 0.6], [-0.6, 0.8]])
        for seen in (landmarks, 3 * landmarks, 100 + 2 * leaning):  # whatever its size and tilt
            face = Face(np.float32([0, 0, 64, 64]), 1.0, seen)
            (counted,) = expression().components(np.zeros((64, 64, 3), np.uint8), [face])
            assert counted[2] == pytest.approx(-weight * less, abs=1e-4)


def test_landmarks_in_one_place_count_as_numbers_all_the_same():
    face = Face(np.float32([0, 0, 64, 64]), 1.0, np.zeros((5, 2), np.float32))
    counted = expression().components(np.zeros((64, 64, 3), np.uint8), [face])
    assert counted.shape == (1, 3)
    assert np.isfinite(counted).all()


def test_a_picture_by_itself_has_its_quality_whatever_its_eyes():
    scorer = open_for_tracks(QUALITY, "onnxruntime", threads=1)
    quality = open_engine(QUALITY, "onnxruntime", threads=1).score(CROPS)
    assert scorer.score(CROPS) == pytest.approx(quality, abs=1e-5)


def test_rp_is_the_papers_and_heeds_no_eyes():
    scorer = open_for_tracks(score_graph("rp"), "onnxruntime", "fp32", threads=1)
    assert not isinstance(scorer, Heedful)
    rated = scorer.rate_frame(*side_by_side(CROPS))
    assert rated.components.shape == (len(CROPS), 0)
    assert rated.order == pytest.approx(scorer.score(CROPS))
    assert scorer.explain(rated.components[0], rated.components[0]) == ""


def test_what_won_says_how_open_the_eyes_are_how_neutral_the_face_and_how_straight():
    scorer = open_for_tracks(QUALITY, "onnxruntime", threads=1)
    manifest = load_manifest(QUALITY)
    weights = np.float32([manifest.eyes_weight, manifest.smile_weight, manifest.turn_weight])
    nothing = np.zeros(3, np.float32)
    assert scorer.explain(nothing, nothing) == (
        "eyes open 100 of 100 (at most 100 in this track), "
        "expression neutral 100 of 100 (at most 100 in this track), "
        "yaw frontal alignment 100 of 100 (at most 100 in this track)"
    )
    assert scorer.explain(
        weights * np.float32([-3.75, -0.025, -0.3]), weights * np.float32([-1.875, 0, -0.15])
    ) == (
        "eyes open 50 of 100 (at most 75 in this track), "
        "expression neutral 75 of 100 (at most 100 in this track), "
        "yaw frontal alignment 0 of 100 (at most 50 in this track)"
    )
    assert scorer.explain(weights * np.float32([-7.5, 0, 0]), nothing).startswith(
        "eyes open 0 of 100"
    )
    only_eyes = Expression(
        Eyes(FOLDER / EYES), replace(manifest, smile_weight=0.0, turn_weight=0.0)
    )
    assert only_eyes.explain(nothing, nothing) == "eyes open 100 of 100 (at most 100 in this track)"


def test_the_network_must_lie_beside_the_score(tmp_path):
    model = tmp_path / "quality.onnx"
    for source in (QUALITY, sidecar(QUALITY)):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    with pytest.raises(InputError, match=EYES):
        open_for_tracks(model, "onnxruntime")
    copy_eyes(QUALITY, load_manifest(QUALITY), tmp_path)
    assert open_for_tracks(model, "onnxruntime").score(CROPS).shape == (len(CROPS),)
    assert open_expression(model, replace(load_manifest(model), eyes_weight=0.0)) is None


class Cutting(Scorer):
    """Cuts crops by itself, as a GPU does."""

    description = "cutting"
    manifest = load_manifest(QUALITY)

    def score(self, crops):
        return np.full(len(crops), 1, np.float32)

    def rate_frame(self, image, tracks, components=None):
        return Ratings.of(np.full(len(tracks.seen), 5, np.float32), components)


def test_an_engine_that_cuts_crops_by_itself_goes_on_doing_so():
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    heedful = Heedful(Cutting(), expression())
    face = Face(np.array([5, 5, 80, 80], np.float32), 1.0, np.zeros((5, 2), np.float32))
    rated = heedful.rate_frame(image, Tracks((Track(1, face, 1),), ()))
    assert rated.quality.tolist() == [5]
    assert (rated.components[0] <= 0).all()
    assert rated.components[0, 0] < 0
    assert heedful.rate_frame(image, Tracks((), ())).order.shape == (0,)


def test_int8_screens_with_the_eyes():
    """What int8 finds far behind is rated again where its eyes are the more open ones."""
    quick, full = Cutting(), Cutting()
    quick.manifest = replace(quick.manifest, precision="int8", screen_margin=0.1)
    quick.score = lambda crops: np.where(crops[:, 0, 0, 0] > 99, 0, 2).astype(np.float32)
    full.score = lambda crops: quick.score(crops) + 1
    screen = Screen(quick, full)
    face = Face(np.array([5, 5, 80, 80], np.float32), 1.0, np.zeros((5, 2), np.float32))
    orders = []
    for grey, eyes in ((10, -3.0), (200, -0.5), (10, -3.0)):  # closed, open and less good, closed
        crop, counted = np.full((1, 1, 64, 64), grey, np.uint8), np.float32([[eyes]])
        rated = screen.rate_tracks(crop, Tracks((Track(1, face, 1),), ()), counted)
        orders.append(rated.order[0])
        assert np.array_equal(rated.components, counted)
        assert rated.quality == pytest.approx(full.score(crop))
    assert orders[1] > orders[0] == pytest.approx(orders[2])
    assert screen.again == 2
    heedful = Heedful(screen, expression())
    assert heedful.estimates
    assert heedful.score(CROPS) == pytest.approx(full.score(CROPS))
    assert heedful.explain(np.zeros(3), np.zeros(3)).startswith("eyes open")


def test_sources_that_share_a_screen_heed_eyes_each_for_itself():
    quick, full = Cutting(), Cutting()
    quick.manifest = replace(quick.manifest, precision="int8", screen_margin=0.1)
    alone = Heedful(full, expression())
    scorers = shared(Heedful(Screen(quick, full), expression()), 2)
    image, tracks = side_by_side(CROPS[:2])
    for scorer in scorers:
        rated = scorer.rate_frame(image, tracks)
        expected = alone.rate_frame(image, tracks).components
        assert rated.components == pytest.approx(expected)
        assert scorer.estimates


def test_what_is_open_counts_half_and_nothing_is_surer_than_a_limit(monkeypatch):
    eyes = Eyes(FOLDER / EYES)
    found = np.array([0, 0.001, 0.5, 0.8, 0.98, 0.999, 1], np.float32)
    monkeypatch.setattr(eyes, "open", lambda _: found)
    behind = [-7.5, -7.5, -3.5, np.log(4) - 3.5, np.log(49) / 2 - 2.5, 0, 0]
    assert eyes.openness(np.zeros((7, 2, 24, 32), np.uint8)) == pytest.approx(behind, abs=1e-4)
