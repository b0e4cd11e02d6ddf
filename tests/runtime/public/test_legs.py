"""Tracks end where they may have changed from one person to another, and nowhere else."""

from __future__ import annotations

import numpy as np

from sealshot.runtime.public.legs import Cuts, Legs
from sealshot.runtime.types import Face, Track

FPS = 25.0


def track(id: int, x: float) -> Track:
    box = np.array([x, 50, x + 40, 100], np.float32)
    return Track(id, Face(box, 0.9, np.zeros((5, 2), np.float32)), 1)


def names(frames: dict[int, list[Track]], id: int, cut: int = -1) -> list[int]:
    """What track ``id`` is called at each of the frames, asked for when all were seen."""
    legs = Legs()
    for frame, seen in sorted(frames.items()):
        legs.update(frame / FPS, seen, cut=frame == cut)
    return [legs.at(id, frame / FPS) for frame in range(max(frames) + 1)]


def test_who_is_alone_keeps_one_name() -> None:
    assert len(set(names({f: [track(1, f), track(2, 300)] for f in range(50)}, 1))) == 1


def test_a_short_loss_does_not_end_a_track_and_a_long_one_does() -> None:
    short = {f: [track(1, f)] if not 20 <= f < 28 else [] for f in range(50)}
    assert len(set(names(short, 1))) == 1
    long = {f: [track(1, f)] if not 20 <= f < 40 else [] for f in range(60)}
    told = names(long, 1)
    assert len(set(told[:20])) == len(set(told[20:40])) == len(set(told[40:])) == 1
    assert len({told[0], told[30], told[59]}) == 3


def test_where_two_faces_overlap_both_are_called_anew_until_they_have_parted() -> None:
    frames = {f: [track(1, 4 * f), track(2, 120)] for f in range(80)}
    for id in (1, 2):
        told = names(frames, id)
        assert len({told[0], told[30], told[79]}) == 3
        assert len(set(told[25:35])) == 1


def test_a_cut_ends_all_tracks() -> None:
    frames = {f: [track(1, 10), track(2, 300)] for f in range(20)}
    for id in (1, 2):
        told = names(frames, id, cut=10)
        assert told[9] != told[10]
        assert len(set(told)) == 2


def test_what_is_over_is_forgotten() -> None:
    legs = Legs()
    for frame in range(5000):
        legs.update(frame / FPS, [track(1, 4 * (frame % 60)), track(2, 120)], cut=False)
        legs.forget_before(frame / FPS - 1)
    assert len(legs._tracks[1].ids) < 10
    legs.forget_before(1e9)
    assert legs._tracks == {}


def test_a_cut_is_another_scene_and_not_what_moves_in_one() -> None:
    rng, cuts = np.random.default_rng(0), Cuts()
    one, other = (rng.integers(0, 255, (9, 16)).repeat(40, 0).repeat(40, 1) for _ in range(2))
    told = []
    for scene in (one, one, other, other):
        luma = np.clip(scene + rng.integers(-20, 20, scene.shape), 0, 255).astype(np.uint8)
        luma[100:180, 100:160] = rng.integers(0, 255, (80, 60))
        told.append(cuts.is_cut(luma))
    assert told == [False, False, True, False]
    assert not Cuts().is_cut(one.astype(np.uint16) * 4)
