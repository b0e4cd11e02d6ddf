"""Looking back: which pictures are covered where, and what is held for it."""

from __future__ import annotations

import numpy as np
import pytest

from sealshot.runtime.public.cover import Region
from sealshot.runtime.public.lookback import LookBack
from sealshot.runtime.types import Face, Track

FPS = 25.0


def face_at(time_s: float, speed_px_s: float = 60.0) -> np.ndarray:
    """The true box of a face of 40 px that crosses the picture."""
    x = 100 + speed_px_s * time_s
    return np.array([x, 80, x + 40, 80 + 50], np.float32)


def found(time_s: float, id: int = 1, speed_px_s: float = 60.0) -> Track:
    return Track(id, Face(face_at(time_s, speed_px_s), 0.9, np.zeros((5, 2), np.float32)), 1)


def covered(
    frames: int, seen: set[int], look_s: float = 1.0, speed_px_s: float = 60.0
) -> dict[int, list[Region]]:
    """Regions of each frame where the face is found in the frames ``seen`` alone."""
    look_back: LookBack[int] = LookBack(look_s)
    ready: list[tuple[int, list[Region]]] = []
    for frame in range(frames):
        now = frame / FPS
        tracks = [found(now, speed_px_s=speed_px_s)] if frame in seen else []
        ready += look_back.add(now, tracks, frame)
    return dict(ready + look_back.flush())


def hides(regions: list[Region], box: np.ndarray) -> bool:
    return any(
        r.box[0] <= box[0] and r.box[1] <= box[1] and r.box[2] >= box[2] and r.box[3] >= box[3]
        for r in regions
    )


@pytest.mark.parametrize("speed_px_s", [0.0, 60.0, -200.0])
@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(set(range(60)), id="always"),
        pytest.param(set(range(20, 60)), id="found late"),
        pytest.param(set(range(40)), id="lost"),
        pytest.param(set(range(15)) | set(range(35, 60)), id="away for most of a second"),
        pytest.param(set(range(0, 60, 6)), id="found in each sixth"),
    ],
)
def test_a_face_is_covered_where_it_was_not_found(seen: set[int], speed_px_s: float) -> None:
    all_regions = covered(60, seen, speed_px_s=speed_px_s)
    assert sorted(all_regions) == list(range(60))
    for frame, regions in all_regions.items():
        if min(abs(frame - near) for near in seen) <= 20:
            assert hides(regions, face_at(frame / FPS, speed_px_s)), frame


def test_what_is_further_away_in_time_than_the_look_back_is_not_covered() -> None:
    regions = covered(150, {70}, look_s=1.0)
    assert [bool(regions[frame]) for frame in (44, 46, 70, 94, 96)] == [
        False,
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("cut", [None, 60])
def test_who_is_lost_before_the_end_of_a_scene_is_covered_up_to_it(cut: int | None) -> None:
    look_back: LookBack[int] = LookBack(1.0)
    ready: list[tuple[int, list[Region]]] = []
    for frame in range(cut + 60 if cut else 60):
        tracks = [found(frame / FPS)] if frame in range(15) else []
        ready += look_back.add(frame / FPS, tracks, frame, last=cut == frame + 1)
    regions = dict(ready + look_back.flush())
    for frame in range(60):
        assert hides(regions[frame], face_at(frame / FPS)), frame
    assert not any(regions[frame] for frame in range(66, len(regions)))


def test_a_single_find_does_not_cover_the_whole_picture() -> None:
    for regions in covered(60, {30}).values():
        for x0, y0, x1, y1 in (region.box for region in regions):
            assert max(x1 - x0, y1 - y0) <= 50 * (1 + 2 * (0.3 + 1.0)) + 1


def test_pictures_leave_in_order_after_the_look_back_and_no_more_are_held() -> None:
    look_back: LookBack[int] = LookBack(1.0)
    out: list[int] = []
    for frame in range(500):
        out += [held for held, _ in look_back.add(frame / FPS, [found(frame / FPS)], frame)]
        assert frame - (out[-1] if out else -1) <= FPS + 1
    assert out == list(range(len(out)))
    assert len(look_back._trails[1].times_s) <= FPS + 3


def test_time_alone_lets_pictures_go_and_tracks_are_forgotten() -> None:
    look_back: LookBack[int] = LookBack(1.0)
    for id in range(50):
        look_back.add(id / FPS, [found(id / FPS, id)], id)
    assert [held for held, _ in look_back.advance(3.5)][-1] == 49
    look_back.add(10.0, [], 50)
    look_back.flush()
    assert not look_back._trails


def test_each_of_many_is_covered_as_if_it_were_alone() -> None:
    rng = np.random.default_rng(0)
    seen = {
        id: set(np.flatnonzero(rng.random(60) < rate)) for id, rate in enumerate([0.03, 0.2, 1])
    }
    together: LookBack[int] = LookBack(0.4)
    ready: list[tuple[int, list[Region]]] = []
    for frame in range(60):
        tracks = [found(frame / FPS, id, 90.0 * id) for id in seen if frame in seen[id]]
        ready += together.add(frame / FPS, tracks, frame)
    regions = dict(ready + together.flush())
    for id, frames in seen.items():
        alone = covered(60, frames, look_s=0.4, speed_px_s=90.0 * id)
        for frame in range(60):
            mine = [region.box for region in regions[frame] if region.track == id]
            assert mine == [region.box for region in alone[frame]], (id, frame)
    assert not all(len(each) == len(seen) for each in regions.values())
