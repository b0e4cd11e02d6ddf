"""Where faces and their landmarks are found, on the demo's portrait and on real clips."""

import cv2
import numpy as np
import pytest

from sealshot.runtime.demo.clip import FACE_CENTRE, FACE_WIDTH, PORTRAIT
from sealshot.runtime.detect import open_detector
from sealshot.runtime.detect.boxes import iou

WALL = (1080, 1920, 3)


@pytest.fixture(scope="module", params=["mtcnn", "mtcnn:exact", "yunet"])
def detector(request):
    spec = request.param
    if spec == "yunet":
        models = request.getfixturevalue("reference_models")
        spec = f"yunet:{models / 'yunet_n_dynamic.onnx'}"
    return open_detector(spec, threads=1)


@pytest.fixture(scope="module")
def mtcnn():
    return open_detector("mtcnn", threads=1)


@pytest.fixture(scope="module")
def portrait():
    return cv2.imread(str(PORTRAIT))


def boxes(faces):
    return np.array([face.box for face in faces], np.float32).reshape(-1, 4)


def hang(views, spots):
    wall = np.full(WALL, 110, np.uint8)
    for view, (x, y) in zip(views, spots, strict=True):
        wall[y : y + view.shape[0], x : x + view.shape[1]] = view
    return wall


def scaled(image, factor):
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def looks_like_a_face(face):
    x0, y0, x1, y1 = face.box
    width, height = x1 - x0, y1 - y0
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert (face.landmarks > [x0 - 0.2 * width, y0 - 0.2 * height]).all()
    assert (face.landmarks < [x1 + 0.2 * width, y1 + 0.2 * height]).all()


def test_the_face_is_where_it_is(detector, portrait):
    (face,) = detector.detect(portrait)
    x0, y0, x1, y1 = face.box
    assert (x0 + x1) / 2 == pytest.approx(FACE_CENTRE[0], abs=5)
    assert (y0 + y1) / 2 == pytest.approx(FACE_CENTRE[1], abs=10)
    assert x1 - x0 == pytest.approx(FACE_WIDTH, rel=0.12)
    assert face.score > 0.9
    looks_like_a_face(face)


def test_left_and_right_follow_the_picture_not_the_person(detector, portrait):
    (face,) = detector.detect(np.ascontiguousarray(portrait[:, ::-1]))
    looks_like_a_face(face)


def test_faces_of_many_sizes_in_one_frame(detector, portrait):
    factors = (0.5, 0.7, 1.0, 1.6, 2.4)
    spots = [(40, 40), (300, 500), (600, 40), (900, 300), (1320, 300)]
    found = detector.detect(hang([scaled(portrait, f) for f in factors], spots))
    expected = [
        np.array([77, 63, 163, 174]) * f + [x, y, x, y]
        for f, (x, y) in zip(factors, spots, strict=True)
    ]
    overlap = iou(np.array(expected, np.float32), boxes(found))
    assert (overlap.max(axis=1) > 0.7).all()
    assert len(found) == len(factors)
    scores = [face.score for face in found]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("min_face_px", [20, 36, 60])
def test_faces_much_smaller_than_the_smallest_are_not_looked_for(portrait, min_face_px):
    view = hang([scaled(portrait, 0.4 * min_face_px / FACE_WIDTH)], [(500, 300)])
    assert open_detector("mtcnn", min_face_px=min_face_px, threads=1).detect(view) == []
    view = hang([scaled(portrait, 1.15 * min_face_px / FACE_WIDTH)], [(500, 300)])
    assert len(open_detector("mtcnn", min_face_px=min_face_px, threads=1).detect(view)) == 1


@pytest.mark.parametrize("cut", ["left", "right", "top", "bottom"])
def test_a_face_cut_by_the_edge_is_found_and_reaches_outside(mtcnn, portrait, cut):
    x0, y0, x1, y1 = 77, 63, 163, 174
    view, lost = {
        "left": (portrait[:, x0 + 20 :], lambda b, s: b[0] < 0),
        "right": (portrait[:, : x1 - 20], lambda b, s: b[2] > s[1]),
        "top": (portrait[y0 + 20 :], lambda b, s: b[1] < 0),
        "bottom": (portrait[: y1 - 20], lambda b, s: b[3] > s[0]),
    }[cut]
    (face,) = mtcnn.detect(view)
    assert lost(face.box, view.shape)
    assert np.isfinite(face.landmarks).all()


def test_a_frame_that_moves_moves_its_faces(mtcnn, portrait):
    view = hang([portrait], [(601, 303)])
    (still,) = mtcnn.detect(view)
    for x, y in [(1, 0), (0, 1), (3, 2), (7, 5)]:
        (face,) = mtcnn.detect(view[y:, x:])
        moved = face.box + np.float32([x, y, x, y])
        assert iou(moved[None], still.box[None])[0, 0] > 0.9


def frames(path, every, count):
    video = cv2.VideoCapture(str(path))
    for index in range(every * count):
        there, frame = video.read()
        assert there
        if index % every == 0:
            yield frame


@pytest.mark.data
def test_the_fast_settings_find_what_the_exact_ones_do(data, mtcnn):
    exact, faces, found = open_detector("mtcnn:exact", threads=1), 0, 0
    for frame in frames(data / "clips" / "station-crowd.mp4", 15, 7):
        expected = [f for f in exact.detect(frame) if f.box[2] - f.box[0] >= 40 and f.score > 0.9]
        overlap = iou(boxes(expected), boxes(mtcnn.detect(frame)))
        faces += len(expected)
        found += int((overlap.max(axis=1, initial=0) > 0.5).sum())
    assert faces > 25
    assert found >= 0.95 * faces


@pytest.mark.data
def test_landmarks_of_upright_real_faces_are_in_their_order(data, mtcnn):
    folders = sorted((data / "lfw-dev").iterdir())[::30]
    pictures = [next(iter(sorted(folder.glob("*.jpg")))) for folder in folders]
    images = [cv2.imread(str(path)) for path in pictures]
    seen = 0
    for faces in map(mtcnn.detect, images):
        for face in faces:
            if face.score > 0.99 and face.box[0] > 0 and face.box[2] < 250:
                looks_like_a_face(face)
                seen += 1
    assert seen >= 0.9 * len(images)
