"""`mtcnn:exact` against boxes that facenet-pytorch found in views of the demo's portrait.

The boxes in tests/data/mtcnn_reference.json come from `python THIS_FILE facenet_pytorch-*.whl`.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.ndimage import affine_transform

from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.detect import open_detector

REFERENCE = Path(__file__).resolve().parents[2] / "data" / "mtcnn_reference.json"
MIN_FACE_PX = 20  # facenet-pytorch's default
VIEWS = {
    "as it is": lambda p: p,
    "mirrored": lambda p: p[:, ::-1],
    "a third": lambda p: _scaled(p, 1 / 3),
    "0.77": lambda p: _scaled(p, 0.77),
    "2.3": lambda p: _scaled(p, 2.3),
    "dark": lambda p: p // 4,
    "turned by 20 degrees": lambda p: _turned(p, 20),
    "turned by -35 degrees": lambda p: _turned(p, -35),
    "cut on the left": lambda p: p[:, 95:],
    "cut below": lambda p: p[:150],
    "six on a grey wall": lambda p: _wall(p),
}


def _scaled(image, factor):
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)


def _turned(image, degrees):
    """Drawn with SciPy: OpenCV 4 samples at 32nds of a pixel, 5 exactly, so their views differ."""
    turn = np.eye(3)
    # from view to image in [y, x]: the same as OpenCV's, from image to view in [x, y]
    turn[:2, :2] = cv2.getRotationMatrix2D((0, 0), degrees, 1)[:, :2]
    centre = np.array(image.shape) / 2 * (1, 1, 0)
    view = affine_transform(image.astype(float), turn, centre - turn @ centre, order=1)
    return np.rint(view).astype(np.uint8)


def _wall(portrait):
    wall = np.full((720, 1280, 3), 120, np.uint8)
    for i, factor in enumerate((0.25, 0.4, 0.6, 0.8, 1.1, 1.3)):
        view = _scaled(portrait, factor)
        x = 20 + 200 * i
        wall[30 : 30 + view.shape[0], x : x + view.shape[1]] = view[:, : 1280 - x]
    return wall


def view(name):
    return np.ascontiguousarray(VIEWS[name](cv2.imread(str(PORTRAIT))))


@pytest.fixture(scope="module")
def reference():
    return json.loads(REFERENCE.read_text())


@pytest.mark.parametrize("name", VIEWS)
def test_exact_finds_the_boxes_of_facenet_pytorch(name, reference):
    found = open_detector("mtcnn:exact", min_face_px=MIN_FACE_PX, threads=1).detect(view(name))
    expected = reference["faces"][name]
    assert len(found) == len(expected)
    for face, (box, score, landmarks) in zip(found, expected, strict=True):
        assert face.box == pytest.approx(box, abs=0.1)
        assert face.score == pytest.approx(score, abs=1e-4)
        assert face.landmarks == pytest.approx(np.asarray(landmarks), abs=0.1)


def test_the_reference_holds_many_faces(reference):
    assert sum(map(len, reference["faces"].values())) >= 14


def main(wheel):
    from sealshot.benchmarks.accuracy.facenet import facenet_mtcnn

    with facenet_mtcnn(wheel, min_face_px=MIN_FACE_PX) as peer:
        faces = {
            name: [
                (_rounded(f.box), round(f.score, 6), [_rounded(point) for point in f.landmarks])
                for f in sorted(peer.detect(view(name)), key=lambda face: -face.score)
            ]
            for name in VIEWS
        }
    REFERENCE.write_text(json.dumps({"made_with": wheel.name, "faces": faces}) + "\n")


def _rounded(values):
    return [round(float(value), 2) for value in values]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
