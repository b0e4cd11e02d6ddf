"""Faces in the frames of a source: found soon, followed, lost at once, alike on any machine."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.detect import glances, open_detector, open_finder
from sealshot.runtime.detect.boxes import iou, nested
from sealshot.runtime.detect.finder import EveryFrame
from sealshot.runtime.detect.glances import LOOK_EVERY_S, WHOLE_LOOK_EVERY, Glances, due

FACE = np.float32([77, 63, 163, 174])  # in the portrait
SIZE = 0.6


@pytest.fixture(scope="module")
def detector():
    return open_detector("mtcnn", threads=1)


@pytest.fixture(scope="module")
def portrait():
    return cv2.resize(cv2.imread(str(PORTRAIT)), None, fx=SIZE, fy=SIZE)


def scene(portrait, *spots, level=110, size=(720, 1280)):
    """A wall with the portrait at each spot; and where the faces are."""
    wall = np.full((*size, 3), level, np.uint8)
    for x, y in spots:
        wall[y : y + portrait.shape[0], x : x + portrait.shape[1]] = portrait
    return wall, [FACE * SIZE + np.float32([x, y, x, y]) for x, y in spots]


def found(faces, box):
    return any(iou(face.box[None], box[None])[0, 0] > 0.6 for face in faces)


def same(some, others):
    return len(some) == len(others) and all(
        np.array_equal(a.box, b.box) and np.array_equal(a.landmarks, b.landmarks)
        for a, b in zip(some, others, strict=True)
    )


def watched(finder, fps, frames):
    return [finder.look(i / fps, frame)() for i, frame in enumerate(frames)]


@pytest.mark.parametrize("spec", ["mtcnn:exact", "yunet"])
def test_all_but_the_default_look_at_all_of_every_frame(spec, portrait, request):
    if spec == "yunet":
        models = request.getfixturevalue("reference_models")
        spec = f"yunet:{models / 'yunet_n_dynamic.onnx'}"
    detector = open_detector(spec, threads=1)
    finder = open_finder(detector)
    assert isinstance(finder, EveryFrame)
    views = [scene(portrait, (40 * i, 30), size=(240, 320))[0] for i in range(3)]
    for faces, view in zip(watched(finder, 25, views), views, strict=True):
        assert same(faces, detector.detect(view))


def test_a_known_face_that_a_whole_look_misses_is_found_where_it_was(detector, portrait):
    """Also after a longer pause, where it stayed."""
    size = portrait.shape[1::-1]
    turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), 36, 1)
    turned = cv2.warpAffine(portrait, turn, size, borderValue=(110, 110, 110))
    before, (box,) = scene(portrait, (200, 50), size=(240, 480))
    after, _ = scene(cv2.GaussianBlur(turned, (0, 0), 3), (200, 50), size=(240, 480))
    assert not detector.detect(after)
    for pause in (0.2, 1):
        _, (face,) = watched(open_finder(detector), 1 / pause, [before, after])
        assert iou(face.box[None], box[None])[0, 0] > 0.4


def test_a_face_that_moves_is_found_in_every_frame(detector, portrait):
    finder = open_finder(detector)
    assert isinstance(finder, Glances)
    for i in range(25):
        view, (box,) = scene(portrait, (100 + 16 * i, 300 - 4 * i))
        faces = finder.look(i / 25, view)()
        assert len(faces) == 1, i
        assert found(faces, box), i


@pytest.mark.parametrize("way", [(18, 0), (-22, 0), (0, 18), (-16, 16)])
def test_the_landmarks_of_a_face_that_starts_to_move_fast_are_its_own(detector, portrait, way):
    """By a third of its width from one frame to the next, when nobody could expect it."""
    views = [scene(portrait, spot)[0] for spot in ((300, 200), (300 + way[0], 200 + way[1]))]
    (before,), (after,) = watched(open_finder(detector), 25, views)
    astray = after.landmarks - before.landmarks - np.float32(way)
    assert np.abs(astray).mean() < 0.5  # of a face of 52 px


@pytest.mark.parametrize("fps", [15, 25, 30])
@pytest.mark.parametrize("y", [0, 530])
def test_who_comes_is_found_soon_and_who_goes_is_lost_at_once(detector, portrait, fps, y):
    """In view for 0.3 s is found for 0.2 s, whatever was due when they came."""
    empty, _ = scene(portrait)
    view, (box,) = scene(portrait, (600, y))
    stay = int(0.3 * fps)
    for wait in range(1, 1 + math.ceil(LOOK_EVERY_S * fps)):
        seen = watched(open_finder(detector), fps, [empty] * wait + [view] * stay + [empty] * 2)
        assert not any(seen[:wait]), wait
        assert not any(seen[wait + stay :]), wait
        first = next(i for i, faces in enumerate(seen) if faces)
        assert first - wait < LOOK_EVERY_S * fps, wait
        assert all(found(faces, box) for faces in seen[first : wait + stay]), wait
        assert wait + stay - first >= 0.2 * fps, wait


def test_a_new_face_that_a_quick_look_doubts_is_looked_at_closely(detector, portrait, monkeypatch):
    """In the same frame: turned and blurred so far that what the O-net says hangs on the window."""
    size = portrait.shape[1::-1]
    spots = [(200, 50), (203, 57), (207, 41), (211, 46), (196, 39), (214, 55)]
    blank, _ = scene(portrait, size=(240, 480))
    views = []
    for degrees in (33, 34):
        turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), degrees, 1)
        turned = cv2.warpAffine(portrait, turn, size, borderValue=(110, 110, 110))
        blurred = cv2.GaussianBlur(turned, (0, 0), 2)
        views += [scene(blurred, spot, size=(240, 480))[0] for spot in spots]

    def seen():
        return [any(watched(open_finder(detector), 25, [blank] + [view] * 3)) for view in views]

    closely = seen()
    monkeypatch.setattr(glances, "DOUBTED_SCORE", 1.0)
    assert sum(closely) >= sum(seen()) + 3


def test_a_second_face_beside_a_known_one_is_found(detector, portrait):
    alone, _ = scene(portrait, (500, 200))
    both, boxes = scene(portrait, (500, 200), (640, 200))
    seen = watched(open_finder(detector), 25, [alone] * 3 + [both] * 4)
    assert [len(faces) for faces in seen[:3]] == [1, 1, 1]
    assert all(found(seen[-1], box) for box in boxes)


def test_who_steps_before_a_known_face_is_found(detector, portrait):
    """What lies around a face that is sure is not looked at; that one is hidden now."""
    near = cv2.resize(portrait, None, fx=2.5, fy=2.5)
    before, (far,) = scene(portrait, (420, 180))
    x, y = 330, 60
    after = before.copy()
    after[y : y + near.shape[0], x : x + near.shape[1]] = near
    wanted = 2.5 * SIZE * FACE + np.float32([x, y, x, y])
    assert nested(far[None], wanted[None])[0, 0] > 0.9
    faces = watched(open_finder(detector), 25, [before] * 4 + [after] * 4)
    assert found(faces[3], far)
    assert found(faces[7], wanted)
    assert not found(faces[7], far)


def test_after_a_cut_faces_are_found_in_the_very_frame(detector, portrait):
    before, _ = scene(portrait, (100, 100))
    after, (box,) = scene(portrait, (900, 500), level=30)
    for wait in range(1, 5):
        seen = watched(open_finder(detector), 25, [before] * wait + [after])
        assert len(seen[-1]) == 1
        assert found(seen[-1], box)


def test_a_frame_of_another_size_is_looked_at_everywhere(detector, portrait):
    before, _ = scene(portrait, (100, 100))
    after, (box,) = scene(portrait, (300, 100), size=(360, 640))
    seen = watched(open_finder(detector), 25, [before, after])
    assert found(seen[1], box)


def test_a_face_that_is_lost_alone_is_looked_for_everywhere(detector, portrait):
    """It jumped, and the rest of the picture is as it was."""
    before, _ = scene(portrait, (100, 80))
    after, (box,) = scene(portrait, (900, 80))
    for wait in range(1, 5):
        seen = watched(open_finder(detector), 25, [before] * wait + [after])
        assert found(seen[-1], box)


def test_what_is_found_does_not_depend_on_how_far_ahead_frames_are_looked_at(detector, portrait):
    views = [scene(portrait, (60 + 11 * i, 90), (700 - 9 * i, 400))[0] for i in range(8)]
    one_by_one = watched(open_finder(detector), 25, views)
    finder = open_finder(detector)
    halves = [finder.look(i / 25, view) for i, view in enumerate(views)]
    for faces, rest in zip(one_by_one, halves, strict=True):
        assert same(faces, rest())


@pytest.fixture
def pixels(detector, monkeypatch):
    """Of the pictures that the P-net and the smaller network see, not of time; one list."""
    seen = []
    for net in (detector._glimpse, *detector._pnets.values()):

        def counted(inputs, run=net.run):
            seen.append(inputs["image"].size)
            return run(inputs)

        monkeypatch.setattr(net, "run", counted)
    return seen


def test_less_is_looked_at_between(detector, portrait, pixels):
    view, _ = scene(portrait, (500, 300))
    finder = open_finder(detector)
    finder.look(0.0, view)()
    everywhere = sum(pixels)
    for i in range(1, 25):
        pixels.clear()
        finder.look(i / 25, view)()
        assert sum(pixels) < 0.5 * everywhere


def test_after_a_cut_a_close_look_is_spread_over_the_next_frames(detector, portrait, monkeypatch):
    """What the first frame takes most time for, a frame amid others must not."""
    closely = []
    for net in detector._pnets.values():

        def counted(inputs, run=net.run):
            if inputs["image"].shape[2] > 16:  # no window that was glimpsed
                closely.append(inputs["image"].size)
            return run(inputs)

        monkeypatch.setattr(net, "run", counted)
    before, _ = scene(portrait, (100, 100))
    after, (box,) = scene(portrait, (900, 500), level=30)
    finder = open_finder(detector)
    for i in range(5):
        finder.look(i / 25, before)()
        if i == 0:
            everywhere = sum(closely)
    assert sum(closely) == everywhere
    looks = []
    for i in range(5, 12):
        closely.clear()
        assert found(finder.look(i / 25, after)(), box)
        looks.append(sum(closely))
    assert looks[0] == 0
    assert max(looks) < 0.6 * everywhere
    assert 0.9 * everywhere < sum(looks) < 1.3 * everywhere


@given(st.floats(0, 50), st.lists(st.floats(0.001, 0.999), min_size=1, max_size=30))
def test_every_place_is_looked_at_once_a_round(start, steps):
    """Also where the end of one stretch and the start of the next are rounded."""
    rows, position = 97, start
    counts = np.zeros(rows, int)
    for step in steps:
        for part in due(position, position + step):
            assert 0 <= part.first < part.last <= 1
            counts[int(part.first * rows) : int(part.last * rows)] += 1
        position += step
    rounds = position - start
    assert counts.min() >= math.floor(rounds) - 1
    assert counts.max() <= math.ceil(rounds) + 1
    assert abs(counts.mean() - rounds) < 2 / rows * (2 + len(steps)) + 1e-6


@pytest.mark.parametrize(("fps", "share"), [(0.5, 1), (1, 1), (2.5, 0.8), (5, 0.7), (8, 0.7)])
def test_a_slow_source_is_looked_at_closely_where_something_changed(
    detector, portrait, pixels, fps, share
):
    """So finds what a whole look finds, though between two of those it looks at less."""
    views = [scene(portrait, (400 + 60 * i, 200))[0] for i in range(5)]
    finder, looked = open_finder(detector), []
    for i, view in enumerate(views):
        pixels.clear()
        (face,) = finder.look(i / fps, view)()
        looked.append(sum(pixels))
        (whole,) = detector.detect(view)
        assert iou(face.box[None], whole.box[None])[0, 0] > 0.9
    assert sum(looked[1:]) <= share * sum(looked[:1]) * len(looked[1:])


@pytest.mark.parametrize("fps", [25, 5, 4, 2])
def test_what_stands_still_is_hardly_looked_at(detector, portrait, pixels, fps):
    """Once a second every place is looked at all the same."""
    view, (box,) = scene(portrait, (500, 300))
    finder = open_finder(detector)
    finder.look(0.0, view)()
    everywhere = sum(pixels)
    pixels.clear()
    for i in range(1, 1 + math.ceil(fps * WHOLE_LOOK_EVERY * LOOK_EVERY_S)):
        assert found(finder.look(i / fps, view)(), box)
    assert 0.9 * everywhere < sum(pixels) < 1.5 * everywhere


def test_who_comes_between_two_frames_far_apart_is_found(detector, portrait):
    views = [scene(portrait, *[(200 * n, 100) for n in range(i)])[0] for i in range(4)]
    seen = watched(open_finder(detector), 2.5, views)
    assert [len(faces) for faces in seen] == [0, 1, 2, 3]
