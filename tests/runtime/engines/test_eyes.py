"""Closed eyes: what the network that ships makes of them, and what that does to a choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sealshot.export.golden import golden_crops
from sealshot.runtime.engines import Scorer, Screen, open_engine, open_for_tracks
from sealshot.runtime.engines.eyes import EYES, Eyes, Heedful, copy_eyes, open_eyes
from sealshot.runtime.engines.manifest import load_manifest, sidecar
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Ratings, Track, Tracks
from sealshot.runtime.weights import FOLDER, score_graph

CROPS = golden_crops()
QUALITY = score_graph("quality")


def test_a_choice_goes_by_quality_and_by_the_odds_of_open_eyes():
    opened = Eyes(FOLDER / EYES).open(CROPS)
    assert ((opened >= 0) & (opened <= 1)).all()
    scorer = open_for_tracks(QUALITY, "onnxruntime", threads=1)
    quality = open_engine(QUALITY, "onnxruntime", threads=1).score(CROPS)
    weight = load_manifest(QUALITY).eyes_weight
    assert weight > 0
    rated = scorer.rate(CROPS)
    assert rated.quality == pytest.approx(quality, abs=1e-5)
    odds = np.clip(np.log(opened / (1 - opened)), -4, 2)
    assert rated.eyes == pytest.approx(weight * (odds - 2), abs=1e-4)
    assert rated.order == pytest.approx(quality + weight * (odds - 2), abs=1e-4)
    assert scorer.rate(CROPS[:0]).order.shape == (0,)


def test_a_picture_by_itself_has_its_quality_whatever_its_eyes():
    scorer = open_for_tracks(QUALITY, "onnxruntime", threads=1)
    quality = open_engine(QUALITY, "onnxruntime", threads=1).score(CROPS)
    assert scorer.score(CROPS) == pytest.approx(quality, abs=1e-5)


def test_rp_is_the_papers_and_heeds_no_eyes():
    scorer = open_for_tracks(score_graph("rp"), "onnxruntime", "fp32", threads=1)
    assert not isinstance(scorer, Heedful)
    rated = scorer.rate(CROPS)
    assert not rated.eyes.any()
    assert np.array_equal(rated.order, scorer.score(CROPS))
    assert scorer.explain(0.0, 0.0) == ""


def test_what_won_says_how_open_the_eyes_are():
    scorer = open_for_tracks(QUALITY, "onnxruntime", threads=1)
    weight = load_manifest(QUALITY).eyes_weight
    assert scorer.explain(0.0, 0.0) == "eyes open: 100 of 100, at most 100 in this track"
    assert scorer.explain(-3 * weight, -1.5 * weight) == (
        "eyes open: 50 of 100, at most 75 in this track"
    )
    assert scorer.explain(-6 * weight, 0.0).startswith("eyes open: 0 of 100")


def test_the_network_must_lie_beside_the_score(tmp_path):
    model = tmp_path / "quality.onnx"
    for source in (QUALITY, sidecar(QUALITY)):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    with pytest.raises(InputError, match=EYES):
        open_for_tracks(model, "onnxruntime")
    copy_eyes(QUALITY, load_manifest(QUALITY), tmp_path)
    assert open_for_tracks(model, "onnxruntime").score(CROPS).shape == (len(CROPS),)
    assert open_eyes(model, replace(load_manifest(model), eyes_weight=0.0)) is None


class Cutting(Scorer):
    """Cuts crops by itself, as a GPU does."""

    cuts = True
    description = "cutting"
    manifest = load_manifest(QUALITY)

    def score(self, crops):
        return np.full(len(crops), 1, np.float32)

    def rate_frame(self, image, tracks):
        return Ratings.plain(np.full(len(tracks.seen), 5, np.float32))


def test_an_engine_that_cuts_crops_by_itself_goes_on_doing_so():
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    heedful = Heedful(Cutting(), Eyes(FOLDER / EYES))
    face = Face(np.array([5, 5, 80, 80], np.float32), 1.0, np.zeros((5, 2), np.float32))
    rated = heedful.rate_frame(image, Tracks((Track(1, face, 1),), ()))
    assert rated.quality.tolist() == [5]
    assert rated.eyes[0] < 0
    assert heedful.rate_frame(image, Tracks((), ())).order.shape == (0,)


def test_int8_screens_with_the_eyes():
    """What int8 finds far behind is rated again where its eyes are the more open ones."""
    quick, full = Cutting(), Cutting()
    quick.manifest = replace(quick.manifest, precision="int8", screen_margin=0.1)
    quick.score = lambda crops: np.where(crops[:, 0, 0, 0] > 99, 0, 2).astype(np.float32)
    full.score = lambda crops: quick.score(crops) + 1
    eyes = Eyes(FOLDER / EYES)
    eyes.open = lambda crops: np.where(crops[:, 0, 0, 0] > 99, 0.9, 0.02).astype(np.float32)
    screen = Screen(Heedful(quick, eyes), Heedful(full, eyes))
    face = Face(np.array([5, 5, 80, 80], np.float32), 1.0, np.zeros((5, 2), np.float32))
    orders = []
    for grey in (10, 200, 10):  # closed, open and less good, closed
        crop = np.full((1, 1, 64, 64), grey, np.uint8)
        rated = screen.rate_tracks(crop, Tracks((Track(1, face, 1),), ()))
        orders.append(rated.order[0])
        assert rated.eyes == pytest.approx(Heedful(full, eyes).rate(crop).eyes)
        assert rated.quality == pytest.approx(full.score(crop))
    assert orders[1] > orders[0] == pytest.approx(orders[2])
    assert screen.again == 2
    assert screen.score(CROPS) == pytest.approx(full.score(CROPS))
    assert screen.explain(0.0, 0.0).startswith("eyes open")


def test_nothing_is_taken_for_open_or_closed_more_surely_than_a_limit(monkeypatch):
    eyes = Eyes(FOLDER / EYES)
    found = np.array([0, 0.001, 0.5, 0.8, 0.999, 1], np.float32)
    monkeypatch.setattr(eyes, "open", lambda _: found)
    odds = [-4, -4, 0, np.log(4), 2, 2]
    assert eyes.openness(CROPS[:6]) == pytest.approx(np.array(odds) - 2, abs=1e-4)
