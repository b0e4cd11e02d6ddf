"""The TensorRT engine and chain on a real GPU: `pytest -m gpu tests/runtime/engines`."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from sealshot.benchmarks.speed import chain as chain_benchmark
from sealshot.export.tensorrt.build import build
from sealshot.kernels import reference
from sealshot.kernels.device import DeviceFrame
from sealshot.kernels.memory import DeviceArray
from sealshot.runtime.engines import open_engine, open_onnxruntime
from sealshot.runtime.engines.chain import open_chain
from sealshot.runtime.engines.plans import Batch
from sealshot.runtime.weights import SCORES, score_graph

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def asked_for(request, monkeypatch, tmp_path):
    if "gpu" not in (request.config.getoption("-m") or ""):
        pytest.skip("needs TensorRT and a GPU: `pytest -m gpu` on a machine that has them")
    pytest.importorskip("tensorrt")
    monkeypatch.setenv("SEALSHOT_CACHE", str(tmp_path))


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("n", [1, 3, 40])
def test_a_plan_scores_as_onnx_runtime(name, n, crops):
    model = score_graph(name)
    build(model, batch=Batch(1, 4, 16))
    expected = open_onnxruntime(model).score(crops)
    engine = open_engine(model, "tensorrt", "fp32")
    spread = float(np.std(engine.manifest.score_quantiles))
    got = engine.score(crops[:n])
    assert np.abs(got - expected[:n]).max() < 0.01 * spread
    if n > 3:
        assert spearmanr(got, expected).statistic > 0.9999


def test_our_kernel_takes_the_pixels_of_a_plan_where_they_are(pixels_graph, crops):
    build(pixels_graph, batch=Batch(1, 4, 16))
    x = crops.reshape(len(crops), 4096)
    mu = x[:, None] * (np.linspace(0.5, 1.1, 3).reshape(1, 3, 1) / 255)
    expected = reference.rp_likelihood(x, mu, -1.5 * mu)
    assert open_engine(pixels_graph, "tensorrt").score(crops) == pytest.approx(expected, rel=1e-4)


def test_the_chain_is_the_engine_on_crops(pixels_graph):
    build(pixels_graph, batch=Batch(1, 4, 16))
    engine = open_engine(pixels_graph, "tensorrt")
    chain = open_chain(engine.runner, tracks=8)
    image, boxes = chain_benchmark.scene(20)
    memory = DeviceArray.of(image)
    frame = DeviceFrame.of(memory)
    expected = engine.score(reference.crop_resize_grey(image, boxes))
    for _ in range(3):
        assert chain.score(frame, boxes) == pytest.approx(expected, rel=1e-5)
