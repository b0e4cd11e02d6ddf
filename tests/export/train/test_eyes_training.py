"""Lids that are drawn, and the network that learns from them."""

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sealshot.export.nets.eyes import Eyes  # noqa: E402
from sealshot.export.nets.onnx_export import Origin, export_eyes  # noqa: E402
from sealshot.export.train.eyes import draw_views  # noqa: E402
from sealshot.export.train.lids import close  # noqa: E402
from sealshot.runtime.alignment import cut_eyes, sample, upright  # noqa: E402
from sealshot.runtime.demo.clip import PORTRAIT  # noqa: E402
from sealshot.runtime.detect import open_detector  # noqa: E402
from sealshot.runtime.detect.subject import main_face  # noqa: E402
from sealshot.runtime.engines import eyes as runtime_eyes  # noqa: E402
from sealshot.runtime.weights import FOLDER  # noqa: E402

SIDE = 96
BOTH = (0, 1)


@pytest.fixture(scope="module")
def face():
    """What is around the eyes of the portrait that ships, and its landmarks there."""
    image = cv2.imread(str(PORTRAIT))
    found = main_face(open_detector("mtcnn").detect(image), image.shape[1], image.shape[0])
    to_eyes = upright(found.landmarks)
    to_eyes[:, 2] += (SIDE - 1) / 2
    landmarks = found.landmarks @ to_eyes[:, :2].T + to_eyes[:, 2]
    return sample(image, to_eyes, SIDE, SIDE), landmarks.astype(np.float32)


@pytest.mark.parametrize("which", [(0,), (1,), BOTH])
def test_the_network_that_ships_sees_one_eye_closed_and_both(face, which):
    around, landmarks = face
    network = runtime_eyes.Eyes(FOLDER / runtime_eyes.EYES)

    def opened(picture):
        return network.open(cut_eyes(picture, [landmarks]))[0]

    def closed(seed, which, off=(0.0, 0.0)):
        return close(around, landmarks[:2], 1, np.random.default_rng(seed), which, off=off)

    assert opened(around) > 0.5
    assert np.mean([opened(closed(seed, which)) for seed in range(8)]) < 0.25
    assert np.mean([opened(closed(seed, BOTH, (0, 0.55))) for seed in range(8)]) > 0.5


def test_lids_cover_eyes_alone_and_by_their_seed(face):
    around, eyes = face[0], face[1][:2]
    shut = close(around, eyes, 1, np.random.default_rng(0))
    assert np.array_equal(shut, close(around, eyes, 1, np.random.default_rng(0)))
    changed = np.argwhere(shut != around)  # row, column
    apart = np.hypot(*(eyes[1] - eyes[0]))
    away = np.hypot(*(changed[:, None] - eyes[None, :, ::-1]).transpose(2, 0, 1)).min(axis=1)
    assert len(changed) > 50
    assert away.max() < 0.6 * apart
    assert np.array_equal(close(around, eyes[[0, 0]], 1, np.random.default_rng(0)), around)


def test_views_are_decided_by_their_seed_and_say_which_eye_is_closed(face):
    faces = np.stack([face[0]] * 12), np.stack([face[1]] * 12)
    eyes, opened = draw_views(*faces, 3)
    again, _ = draw_views(*faces, 3)
    assert eyes.shape == (12, 4, 2, 24, 32)
    assert torch.equal(eyes, again)
    assert not torch.equal(eyes, draw_views(*faces, 4)[0])
    assert (opened[:, :2] == 1).all()
    assert (opened[:, 2] == 0).all()
    assert {(0.0, 1.0), (1.0, 0.0)} <= {tuple(pair) for pair in opened[:, 3].tolist()}


def test_the_export_is_small_and_gives_what_the_network_gives(tmp_path):
    torch.manual_seed(0)
    network = Eyes().eval()
    origin = Origin("eyes", "test", 1, "noise", "none")
    manifest = export_eyes(network, tmp_path / "eyes.onnx", origin)
    assert manifest.macs_per_face < 2e6
    eyes = np.random.default_rng(0).integers(0, 256, (5, 2, 24, 32), np.uint8)
    with torch.no_grad():
        expected = network(torch.from_numpy(eyes)).numpy()
    opened = runtime_eyes.Eyes(tmp_path / "eyes.onnx").open(eyes)
    assert opened == pytest.approx(expected, abs=1e-5)
