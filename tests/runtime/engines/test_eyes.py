"""Closed eyes: what the network that ships makes of them, and what is taken off a score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sealshot.export.golden import golden_crops
from sealshot.runtime.engines import Scorer, Screen, open_engine, open_for_tracks
from sealshot.runtime.engines.eyes import EYES, Eyes, Heedful, copy_eyes, open_eyes
from sealshot.runtime.engines.manifest import load_manifest, sidecar
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Track, Tracks
from sealshot.runtime.weights import FOLDER, score_graph

CROPS = golden_crops()
QUALITY = score_graph("quality")


def test_the_score_of_a_frame_is_quality_less_what_closed_eyes_cost():
    opened = Eyes(FOLDER / EYES).open(CROPS)
    assert ((opened >= 0) & (opened <= 1)).all()
    scorer = open_for_tracks(QUALITY, "onnxruntime", threads=1)
    quality = open_engine(QUALITY, "onnxruntime", threads=1).score(CROPS)
    weight = load_manifest(QUALITY).eyes_weight
    assert weight > 0
    assert scorer.score(CROPS) == pytest.approx(
        quality - weight * np.log(0.1 / np.clip(opened, 0.005, 0.1)), abs=1e-5
    )
    assert scorer.score(CROPS[:0]).shape == (0,)


def test_rp_is_the_papers_and_heeds_no_eyes():
    scorer = open_for_tracks(score_graph("rp"), "onnxruntime", "fp32", threads=1)
    assert not isinstance(scorer, Heedful)
    assert scorer.explain(CROPS[0]) == ""


def test_what_won_says_how_open_the_eyes_are():
    scorer = open_for_tracks(QUALITY, "onnxruntime", threads=1)
    percent = round(100 * float(Eyes(FOLDER / EYES).open(CROPS[:1])[0]))
    assert scorer.explain(CROPS[0]) == f"eyes open: {percent} of 100"


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

    def score_frame(self, image, tracks):
        return np.full(len(tracks.seen), 5, np.float32)


def test_an_engine_that_cuts_crops_by_itself_goes_on_doing_so():
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    heedful = Heedful(Cutting(), Eyes(FOLDER / EYES))
    face = Face(np.array([5, 5, 80, 80], np.float32), 1.0, np.zeros((5, 2), np.float32))
    scores = heedful.score_frame(image, Tracks((Track(1, face, 1),), ()))
    assert 2 <= scores[0] <= 5
    assert heedful.score_frame(image, Tracks((), ())).shape == (0,)


def test_int8_screens_with_the_eyes():
    quick = Cutting()
    quick.manifest = replace(quick.manifest, precision="int8", screen_margin=0.1)
    eyes = Eyes(FOLDER / EYES)
    screen = Screen(Heedful(quick, eyes), Heedful(Cutting(), eyes))
    assert screen.score(CROPS) == pytest.approx(Heedful(Cutting(), eyes).score(CROPS))
    assert screen.explain(CROPS[0]).startswith("eyes open")


def test_only_what_is_surely_closed_costs_anything(monkeypatch):
    eyes = Eyes(FOLDER / EYES)
    monkeypatch.setattr(eyes, "open", lambda _: np.array([0, 0.001, 0.05, 0.1, 1], np.float32))
    assert eyes.cost(CROPS[:5]) == pytest.approx([np.log(20), np.log(20), np.log(2), 0, 0])
