"""The likelihood on what the model gives for a real face, in many framings."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from sealshot import runtime
from sealshot.kernels import reference
from sealshot.runtime.weights import score_graph

CROPS = 12


@pytest.fixture(scope="module")
def decoded() -> tuple[NDArray[Any], ...]:
    """x ``uint8 [n, 4096]``, mu and log_var ``float32 [n, L, 4096]`` of the demo's portrait."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from sealshot.export import rebuild
    from sealshot.runtime.engines.manifest import load_manifest

    torch.set_num_threads(1)
    model = score_graph("rp")
    graph = rebuild.load_graph(model, load_manifest(model))
    portrait = cv2.imread(str(runtime.__path__[0]) + "/demo/portrait.jpg")
    height, width = portrait.shape[:2]
    random = np.random.default_rng(0)
    sides = random.uniform(0.3, 1, CROPS) * min(height, width)
    corners = random.uniform(0, 1, (CROPS, 2)) * (np.array([width, height]) - sides[:, None])
    boxes = np.hstack([corners, corners + sides[:, None]]).astype(np.float32)
    crops = reference.crop_resize_grey(portrait, boxes)
    with torch.inference_mode():
        _, pixels = graph.pixels(torch.from_numpy(crops))
    return crops.reshape(CROPS, -1), pixels.mu.numpy(), pixels.log_var.numpy()


def test_fp32_is_within_1e_minus_5(
    functions: ModuleType, decoded: tuple[NDArray[Any], ...]
) -> None:
    want = reference.rp_likelihood(*decoded)
    assert np.abs(functions.rp_likelihood(*decoded) / want - 1).max() < 1e-5


def test_fp16_keeps_the_ranks(functions: ModuleType, decoded: tuple[NDArray[Any], ...]) -> None:
    x, mu, log_var = decoded
    got = functions.rp_likelihood(x, mu.astype(np.float16), log_var.astype(np.float16))
    assert spearmanr(got, reference.rp_likelihood(*decoded)).statistic >= 0.9999
