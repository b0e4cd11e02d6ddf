"""Lids that are drawn, and the network that learns from them."""

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sealshot.export.nets.eyes import Eyes  # noqa: E402
from sealshot.export.nets.onnx_export import Origin, count_macs, export_eyes  # noqa: E402
from sealshot.export.train.eyes import draw_views  # noqa: E402
from sealshot.export.train.lids import close  # noqa: E402
from sealshot.export.train.robustness import Looker  # noqa: E402
from sealshot.runtime.crops import cut, square  # noqa: E402
from sealshot.runtime.demo.clip import PORTRAIT  # noqa: E402
from sealshot.runtime.detect import open_detector  # noqa: E402
from sealshot.runtime.detect.subject import main_face  # noqa: E402
from sealshot.runtime.engines import eyes as runtime_eyes  # noqa: E402
from sealshot.runtime.weights import FOLDER  # noqa: E402


@pytest.fixture(scope="module")
def face():
    """The portrait that ships as a context, and its eyes."""
    image = cv2.imread(str(PORTRAIT))
    found = main_face(open_detector("mtcnn").detect(image), image.shape[1], image.shape[0])
    x, y, side = square(found.box, 3 / 8)
    grey = cv2.cvtColor(cut(image, x, y, side), cv2.COLOR_BGR2GRAY)
    context = cv2.resize(grey, (112, 112), interpolation=cv2.INTER_AREA)
    return context, (found.landmarks[:2] - (x, y)) * 112 / side


def crop(context):
    return context[None, None, 24:88, 24:88]


def test_eyes_are_found_in_a_context(face):
    context, eyes = face
    assert Looker().eyes(np.stack([context] * 3)) == pytest.approx(np.stack([eyes] * 3), abs=4)


@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
def test_the_network_that_ships_sees_one_eye_closed_and_both(face, which):
    context, eyes = face
    network = runtime_eyes.Eyes(FOLDER / runtime_eyes.EYES)
    closed = [
        network.open(crop(close(context, eyes, 1, np.random.default_rng(seed), which)))[0]
        for seed in range(8)
    ]
    elsewhere = [
        network.open(crop(close(context, eyes, 1, np.random.default_rng(seed), off=(0, 0.55))))[0]
        for seed in range(8)
    ]
    assert network.open(crop(context))[0] > 0.5
    assert np.mean(closed) < 0.25 < 0.5 < np.mean(elsewhere)


def test_lids_cover_eyes_alone_and_by_their_seed(face):
    context, eyes = face
    shut = close(context, eyes, 1, np.random.default_rng(0))
    assert np.array_equal(shut, close(context, eyes, 1, np.random.default_rng(0)))
    changed = np.argwhere(shut != context)  # row, column
    apart = np.hypot(*(eyes[1] - eyes[0]))
    away = np.hypot(*(changed[:, None] - eyes[None, :, ::-1]).transpose(2, 0, 1)).min(axis=1)
    assert len(changed) > 50
    assert away.max() < 0.6 * apart
    assert np.array_equal(close(context, eyes[[0, 0]], 1, np.random.default_rng(0)), context)


def test_views_are_decided_by_their_seed_and_say_which_eye_is_closed(face):
    contexts = np.stack([face[0]] * 12)
    crops, opened = draw_views(contexts, 3)
    again, _ = draw_views(contexts, 3)
    assert crops.shape == (12, 4, 64, 64)
    assert torch.equal(crops, again)
    assert not torch.equal(crops, draw_views(contexts, 4)[0])
    assert (opened[:, :2] == 1).all()
    assert (opened[:, 2] == 0).all()
    assert {(0.0, 1.0), (1.0, 0.0)} <= {tuple(pair) for pair in opened[:, 3].tolist()}


def test_the_export_is_small_and_gives_what_the_network_gives(tmp_path):
    torch.manual_seed(0)
    network = Eyes().eval()
    origin = Origin("eyes", "test", 1, "noise", "none")
    manifest = export_eyes(network, tmp_path / "eyes.onnx", origin)
    assert manifest.macs_per_face == count_macs(network) < 2e6
    crops = np.random.default_rng(0).integers(0, 256, (5, 1, 64, 64), np.uint8)
    with torch.no_grad():
        expected = network(torch.from_numpy(crops)).numpy()
    opened = runtime_eyes.Eyes(tmp_path / "eyes.onnx").open(crops)
    assert opened == pytest.approx(expected, abs=1e-5)
