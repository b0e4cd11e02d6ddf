"""What this processor reaches at most: arithmetic and memory, measured.

The arithmetic peaks are square matrix products in ONNX Runtime, whose kernels are the ones that the
scores run on; the best of several sizes and rounds counts, since a peak that is too low would make
a bound that is none. Memory is the best of a copy and a read of arrays that no cache holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper

SIZES = (512, 1024)
ARRAY_BYTES = 256 << 20
Work = Callable[[], object]


@dataclass(frozen=True)
class Peaks:
    """Best of all rounds."""

    threads: int
    fp32_tflops: float
    int8_tops: float
    """Unsigned activations by signed weights."""
    memory_gb_s: float


class PeakMeter:
    """Measures the peaks a round at a time, so that other work can be measured in between."""

    def __init__(self, threads: int) -> None:
        """Make the matrices and arrays, about 0.5 GB."""
        self.threads = threads
        self._fp32 = [(2 * n**3, _product(n, threads, "fp32")) for n in SIZES]
        self._int8 = [(2 * n**3, _product(n, threads, "int8")) for n in SIZES]
        source = np.ones(ARRAY_BYTES // 4, np.float32)
        target = np.empty_like(source)
        self._pool = ThreadPoolExecutor(threads)
        parts = list(
            zip(np.array_split(source, threads), np.array_split(target, threads), strict=True)
        )
        self._memory = [
            (2 * source.nbytes, lambda: list(self._pool.map(_copy, parts))),
            (source.nbytes, lambda: list(self._pool.map(_read, parts))),
        ]
        self._best = Peaks(threads, 0.0, 0.0, 0.0)

    def round(self) -> Peaks:
        """Measure once more and return the best so far."""
        fp32, int8, memory = (
            max(amount / _seconds(work) for amount, work in works)
            for works in (self._fp32, self._int8, self._memory)
        )
        best = self._best
        self._best = Peaks(
            threads=self.threads,
            fp32_tflops=max(best.fp32_tflops, fp32 / 1e12),
            int8_tops=max(best.int8_tops, int8 / 1e12),
            memory_gb_s=max(best.memory_gb_s, memory / 1e9),
        )
        return self._best


def _seconds(work: Work) -> float:
    """Return the best of four calls after a warm-up."""
    work()
    times = []
    for _ in range(4):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _copy(pair: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    np.copyto(pair[1], pair[0])


def _read(pair: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    pair[0].max()


def _product(n: int, threads: int, precision: str) -> Work:
    """Return a product of two matrices ``[n, n]``."""
    random = np.random.default_rng(0)
    if precision == "int8":
        left: NDArray[np.generic] = random.integers(0, 255, (n, n)).astype(np.uint8)
        right: NDArray[np.generic] = random.integers(-127, 127, (n, n)).astype(np.int8)
        operator, kinds = "MatMulInteger", (TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32)
    else:
        left, right = random.random((2, n, n), np.float32)
        operator, kinds = "MatMul", (TensorProto.FLOAT,) * 3
    weight = helper.make_tensor("b", kinds[1], [n, n], right.tobytes(), raw=True)
    graph = helper.make_graph(
        [helper.make_node(operator, ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", kinds[0], [n, n])],
        [helper.make_tensor_value_info("c", kinds[2], [n, n])],
        [weight],
    )
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"a": left})
