"""What `sealshot inspect` remembers: evenly spaced, in bounded memory, nothing of ended tracks."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealshot.benchmarks.inspection import history
from sealshot.benchmarks.inspection.draw import STRIP, draw_scene, spaced, without
from sealshot.benchmarks.inspection.history import (
    POINTS,
    SCENE_PX,
    SCENES,
    THUMBS,
    Mark,
    Point,
    Recorder,
    Scene,
    Thinned,
    Thumb,
    decode,
    encode,
)
from sealshot.runtime.crops import cut, square
from sealshot.runtime.pipeline.select import Selector
from sealshot.runtime.pipeline.settings import Choice
from sealshot.runtime.pipeline.sinks import Seen
from sealshot.runtime.types import Face, Frame, Ratings, Track, Tracks

NO_LANDMARKS = np.zeros((5, 2), np.float32)


def seen(index, scores, image, boxes=None, ended=()):
    """What a frame gives in which the tracks of `scores` are seen."""
    tracks = []
    for track in scores:
        box = (boxes or {}).get(track, (10, 10, 50, 50))
        tracks.append(Track(track, Face(np.float32(box), 0.9, NO_LANDMARKS), hits=index + 1))
    rated = Ratings.of(np.array(list(scores.values()), np.float32))
    return Seen(
        Frame(index, index / 25, image), Tracks(tuple(tracks), ended), rated, (), len(scores)
    )


@pytest.fixture
def picture():
    return np.random.default_rng(3).integers(0, 256, (90, 160, 3), dtype=np.uint8)


@given(st.integers(1, 40).map(lambda n: 2 * n), st.integers(0, 3000))
def test_thinned_keeps_evenly_spaced_items_from_the_first_on(limit, offered):
    thinned, made = Thinned(limit), []
    for i in range(offered):
        thinned.offer(lambda i=i: made.append(i) or i)
    kept = thinned.items
    assert kept == sorted(set(kept) & set(made))
    assert len(kept) <= limit
    assert len(kept) >= min(offered, limit // 2)
    assert kept[:1] == list(range(offered))[:1]
    assert len(set(np.diff(kept).tolist())) <= 1
    if kept:  # as even at the end as between
        stride = kept[1] - kept[0] if len(kept) > 1 else offered
        assert offered - 1 - kept[-1] < stride


@pytest.mark.parametrize("limit", [0, 1, 7, -2])
def test_thinned_wants_an_even_limit(limit):
    with pytest.raises(ValueError, match="limit"):
        Thinned(limit)


def test_memory_does_not_grow_with_time(picture):
    recorder = Recorder()
    for index in range(3 * POINTS):
        recorder.add(seen(index, {1: index % 97}, picture))
    track = recorder.take(1)
    assert len(track.points.items) <= POINTS
    assert len(track.thumbs.items) <= THUMBS
    assert len(recorder.scenes.items) <= SCENES
    assert track.last_s == (3 * POINTS - 1) / 25
    assert (track.best, track.worst, track.first_s) == (96, 0, 0)


def test_scores_are_told_against_the_most_open_eyes(picture):
    recorder = Recorder()
    for index, (quality, eyes) in enumerate([(3.0, -4.0), (1.0, -1.0), (0.0, -2.0)]):
        frame = seen(index, {1: quality}, picture)
        recorder.add(replace(frame, ratings=Ratings(frame.ratings.quality, np.float32([[eyes]]))))
    track = recorder.take(1)
    assert [track.score(point.order) for point in track.points.items] == [0, 1, -1]
    assert (track.score(track.best), track.score(track.worst)) == (1, -1)
    # a whole frame was labelled before it was known how far the eyes would open
    assert [scene.marks[0].score for scene in recorder.scenes.items] == [3, 1, -1]


def test_a_track_that_was_taken_is_forgotten(picture):
    recorder = Recorder()
    recorder.add(seen(0, {1: 5.0, 2: 1.0}, picture))
    assert recorder.take(1).best == 5.0
    with pytest.raises(KeyError):
        recorder.take(1)
    assert recorder.take(2).best == 1.0


def test_the_scene_of_a_track_is_the_frame_that_is_chosen(picture):
    """The first of equal scores wins, as in the selector."""
    recorder = Recorder()
    selector = Selector(lambda score: score)
    for index, score in enumerate([1.0, 4.0, 4.0, 2.0, 4.0]):
        frame = seen(index, {7: score}, picture)
        recorder.add(frame)
        selector.update(frame.frame, frame.tracks, frame.ratings)
    (shot,) = selector.finish()
    assert recorder.take(7).scene.frame == shot.frame == 1


def test_a_frame_is_shrunk_with_its_boxes():
    image = np.zeros((1000, 4 * SCENE_PX, 3), np.uint8)
    recorder = Recorder()
    recorder.add(seen(0, {1: 5.0}, image, {1: (400, 40, 800, 480)}))
    scene = recorder.take(1).scene
    assert decode(scene.jpeg).shape == (250, SCENE_PX, 3)
    assert scene.marks[0].box.tolist() == [100, 10, 200, 120]


def test_frames_without_a_face_are_not_kept(picture):
    recorder = Recorder()
    for index in range(5):
        recorder.add(seen(index, {1: 1.0} if index == 3 else {}, picture))
    assert [scene.frame for scene in recorder.scenes.items] == [3]


def test_a_frame_is_encoded_once_for_all_its_tracks(picture, monkeypatch):
    scenes = []
    real = history.scene_of
    monkeypatch.setattr(history, "scene_of", lambda s, told: scenes.append(s) or real(s, told))
    Recorder().add(seen(0, {1: 1.0, 2: 2.0, 3: 3.0}, picture))
    assert len(scenes) == 1


@pytest.mark.parametrize(
    "box",
    [
        (60, 35, 80, 55),
        (20, 20, 70, 60),
        (-15, 5, 30, 44),
        (100, 50, 190, 130),
        (0.4, 0.6, 33.3, 41.9),
        (-90, 20, -50, 60),
    ],
    ids=["inside", "margin cut", "left edge", "over the corner", "fractions", "outside"],
)
@pytest.mark.parametrize("margin", [0.0, 0.5, 1.3])
def test_the_scored_square_is_cut_out_of_the_shot(picture, box, margin):
    selector = Selector(lambda score: score, choice=Choice(margin=margin))
    frame = seen(0, {1: 1.0}, picture, {1: box})
    selector.update(frame.frame, frame.tracks, frame.ratings)
    (shot,) = selector.finish()
    expected = cut(picture, *square(np.float32(box)))
    np.testing.assert_array_equal(without(shot, margin), expected)


def thumb(frame):
    return Thumb(Point(frame, frame / 25, 0.0), b"")


@given(st.sets(st.integers(0, 500), max_size=60), st.integers(0, 500))
def test_a_strip_is_in_order_and_has_the_chosen_crop_once(frames, chosen):
    best = thumb(chosen)
    strip = spaced([thumb(f) for f in sorted(frames)], best)
    order = [t.point.frame for t in strip]
    assert order == sorted(set(order))
    assert len(order) <= STRIP
    assert [t for t in strip if t is best] == [best]
    assert len(order) >= min(len(frames - {chosen}), 2)


def test_a_strip_covers_the_whole_track():
    frames = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, *range(100, 300, 5)]  # it went missing for a while
    order = [t.point.frame for t in spaced([thumb(f) for f in frames], thumb(150))]
    assert (order[0], order[-1]) == (0, 295)
    assert max(np.diff(order)) < 100


@pytest.mark.parametrize(
    ("chosen", "colour"),
    [({1: 9}, (80, 200, 60)), ({1: 4}, (60, 150, 255)), ({}, (170, 170, 170))],
    ids=["chosen here", "chosen elsewhere", "not a person"],
)
def test_a_box_tells_by_its_colour_whether_it_was_chosen(chosen, colour):
    ground = np.zeros((200, 300, 3), np.uint8)
    mark = Mark(1, np.float32([100, 60, 180, 150]), 12345.678)
    image = decode(draw_scene(Scene(9, 0.36, encode(ground), (mark,)), chosen))
    edge = image[150, 110:170].astype(int)  # the lower edge of the box
    assert np.abs(edge - colour).max() < 40


def test_labels_stay_inside_the_picture():
    marks = tuple(
        Mark(i, np.float32(box), -1e30)
        for i, box in enumerate(
            [(-50, -50, 5, 5), (290, 195, 400, 300), (0, 0, 300, 200), (-9e6, 0, 9e6, 1)]
        )
    )
    ground = np.zeros((200, 300, 3), np.uint8)
    image = decode(draw_scene(Scene(0, 0.0, encode(ground), marks), {}))
    assert image.shape == ground.shape
    assert cv2.countNonZero(image[..., 0]) > 0
