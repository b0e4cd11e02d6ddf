"""YuNet on our runner against OpenCV's own detector, and files of a fixed size."""

import cv2
import numpy as np
import onnx
import pytest

from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.detect.yunet import MAX_OVERLAP, MIN_SCORE, SHOWN_PX, YuNet
from sealshot.runtime.errors import InputError

pytestmark = pytest.mark.data
MIN_FACE_PX = 36


@pytest.fixture(scope="module")
def file(reference_models):
    return reference_models / "yunet_n_dynamic.onnx"


def scene(width, height, faces, seed=0):
    """A noisy wall with portraits of many sizes."""
    rng = np.random.default_rng(seed)
    portrait = cv2.imread(str(PORTRAIT))
    image = rng.normal(130, 12, (height, width, 3)).clip(0, 255).astype(np.uint8)
    for i in range(faces):
        side = int(rng.uniform(90, min(height, width) / 2))
        x = int((i + 0.1) * width / faces)
        y = int(rng.uniform(0, height - side))
        small = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
        part = image[y : y + side, x : x + side]
        part[:] = small[: part.shape[0], : part.shape[1]]
    return image


def of_opencv(file, image):
    """What FaceDetectorYN gives: boxes, points, scores; best first."""
    try:
        net = cv2.FaceDetectorYN.create(str(file), "", (64, 64), MIN_SCORE, MAX_OVERLAP)
    except cv2.error:
        pytest.skip(f"OpenCV {cv2.__version__} cannot load a YuNet of free size")
    height, width = image.shape[:2]
    scale = SHOWN_PX / MIN_FACE_PX
    size = round(width * scale), round(height * scale)
    net.setInputSize(size)
    _, rows = net.detect(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    assert rows is not None
    rows = rows[np.argsort(-rows[:, 14])]
    points = rows[:, :14].reshape(-1, 7, 2) * np.array([width, height]) / size
    corners = np.concatenate([points[:, 0], points[:, 0] + points[:, 1]], 1)
    wide = points[:, 1, 0] >= MIN_FACE_PX
    return corners[wide], points[wide, 2:], rows[wide, 14]


@pytest.mark.parametrize(("width", "height"), [(960, 540), (641, 355), (500, 900), (333, 333)])
def test_it_finds_what_opencv_finds(file, width, height):
    image = scene(width, height, faces=3)
    faces = YuNet(file, min_face_px=MIN_FACE_PX).detect(image)
    boxes, points, scores = of_opencv(file, image)
    assert len(faces) == len(boxes) > 0
    for face, box, five, score in zip(faces, boxes, points, scores, strict=True):
        assert face.box == pytest.approx(box, abs=0.05)
        assert face.landmarks == pytest.approx(five, abs=0.05)
        assert face.score == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize(("width", "height"), [(640, 640), (320, 256)])
def test_a_file_of_fixed_size_finds_the_same_faces(file, tmp_path, width, height):
    model = onnx.load(file)
    axes = model.graph.input[0].type.tensor_type.shape.dim
    for axis, size in zip(axes, (1, 3, height, width), strict=True):
        axis.dim_value = size
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    fixed = tmp_path / "fixed.onnx"
    onnx.save(model, fixed)
    image = scene(960, 540, faces=3)
    free = YuNet(file, min_face_px=MIN_FACE_PX).detect(image)
    found = YuNet(fixed, min_face_px=MIN_FACE_PX).detect(image)
    assert len(found) == len(free) == 3
    for ours, theirs in zip(left_to_right(found), left_to_right(free), strict=True):
        size = float(theirs.box[2] - theirs.box[0])
        assert ours.box == pytest.approx(theirs.box, abs=0.25 * size)


def left_to_right(faces):
    return sorted(faces, key=lambda face: face.box[0])


def test_a_small_picture_and_one_without_a_face(file):
    detector = YuNet(file)
    assert detector.detect(np.full((5, 7, 3), 128, np.uint8)) == []
    assert detector.detect(np.full((300, 400, 3), 128, np.uint8)) == []


def test_a_network_of_another_shape_is_refused(file, tmp_path):
    model = onnx.load(file)
    del model.graph.output[0]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(InputError, match="not a YuNet model: it gives bbox_16, bbox_32") as caught:
        YuNet(tmp_path / "other.onnx")
    assert "2023mar" in caught.value.hint
