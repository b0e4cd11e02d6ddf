"""A stand-in for TensorRT on a stand-in for a GPU, and small score graphs for them."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from sealshot import boards
from sealshot.runtime import engines
from sealshot.runtime.engines import tensorrt as tensorrt_engine
from sealshot.runtime.engines.manifest import ScoreManifest

SAMPLES = 3
MANIFEST = ScoreManifest(
    name="test",
    sha256="",
    architecture="none",
    parameters=0,
    macs_per_face=0,
    precision="fp32",
    samples=0,
    seed=0,
    training_set="none",
    training_set_sha256="none",
    opset=17,
    score_quantiles=tuple(float(i) for i in range(101)),
)


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_gpu = _load("sealshot_kernel_fixtures", Path(__file__).parents[2] / "kernels" / "conftest.py")
GPU_FIXTURES = ("build_emulation", "emulated_library", "fake_nvcc", "emulation")
globals().update({name: getattr(_gpu, name) for name in GPU_FIXTURES})

__all__ = [*GPU_FIXTURES, "crops", "manifest", "pixels_graph", "score_model", "trt"]


@pytest.fixture
def trt(emulation, monkeypatch, tmp_path):
    """TensorRT 10.3 on one GPU, with an empty cache."""
    fake = _load("tensorrt", Path(__file__).with_name("fake_tensorrt.py"))
    monkeypatch.setitem(sys.modules, "tensorrt", fake)
    monkeypatch.delitem(sys.modules, "sealshot.runtime.engines.tensorrt_api", raising=False)
    monkeypatch.delattr(engines, "tensorrt_api", raising=False)
    monkeypatch.setenv("SEALSHOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tensorrt_engine, "detect", lambda: boards.detect(tmp_path / "no board"))
    tensorrt_engine.open_tensorrt.cache_clear()
    yield fake
    tensorrt_engine.open_tensorrt.cache_clear()
    sys.modules.pop("sealshot.runtime.engines.tensorrt_api", None)
    if hasattr(engines, "tensorrt_api"):
        del engines.tensorrt_api


@pytest.fixture
def pixels_graph(tmp_path) -> Path:
    """A graph from crops to `mu` and `log_var`, and its manifest."""
    nodes = [
        helper.make_node("Cast", ["crops"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["float", "shape"], ["flat"]),
        helper.make_node("Mul", ["flat", "scales"], ["mu"]),
        helper.make_node("Mul", ["mu", "minus"], ["log_var"]),
    ]
    scales = np.linspace(0.5, 1.1, SAMPLES, dtype=np.float32).reshape(1, SAMPLES, 1) / 255
    constants = {
        "shape": np.array([-1, 1, 4096], np.int64),
        "scales": scales,
        "minus": np.array(-1.5, np.float32),
    }
    return write(tmp_path / "pixels.onnx", nodes, ("mu", "log_var"), (SAMPLES, 4096), constants)


@pytest.fixture
def score_model(tmp_path) -> Path:
    """A graph from crops to their mean, and its manifest."""
    nodes = [
        helper.make_node("Cast", ["crops"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["score"], axes=[1, 2, 3], keepdims=0),
    ]
    return write(tmp_path / "mean.onnx", nodes, ("score",), (), {})


def write(path, nodes, outputs, shape, constants, precision="fp32"):
    """Write a graph of crops, and its manifest."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", 1, 64, 64])],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, ["n", *shape]) for o in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    manifest(path, precision)
    return path


def manifest(path, precision="fp32"):
    """Write the manifest of a graph."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    replace(MANIFEST, sha256=sha256, precision=precision).write(path)


@pytest.fixture
def crops():
    """Forty crops."""
    return np.random.default_rng(0).integers(0, 256, (40, 1, 64, 64), np.uint8)
