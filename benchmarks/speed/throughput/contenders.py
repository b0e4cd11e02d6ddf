"""What races: one way of scoring each, opened where and when it is needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.conditions.process import own_peak_mb
from sealshot.runtime.engines.onnx_session import open_session
from sealshot.runtime.types import Floats

Crops = NDArray[np.uint8]
Score = Callable[[Crops], Floats]

OURS, PLAIN, EAGER, OPENVINO, PEER = "ours", "plain export", "PyTorch eager", "OpenVINO", "peer"


@dataclass(frozen=True)
class Contender:
    """One way to score a face."""

    score: str
    """The function that is computed: one of our scores, or a peer's name."""
    way: str
    """:data:`OURS`, :data:`PLAIN`, :data:`EAGER`, :data:`OPENVINO` or :data:`PEER`."""
    engine: str
    precision: str
    model: Path
    parameters: int
    macs_per_face: int
    file_bytes: int
    sha256: str
    note: str = ""

    @property
    def name(self) -> str:
        """For people."""
        if self.way == PEER:
            return self.score
        if self.way == OURS:
            return f"{self.score} {self.precision}, {self.engine}"
        return f"{self.score} {self.precision}, {self.way}"

    def open(self, threads: int) -> Score:
        """Get ready to score on that many threads; the result comes back when it is done.

        Raises:
            InputError: it cannot be opened here; the fact says why.
            ImportError: what it needs is not installed.
        """
        if self.way == OURS:
            from sealshot.runtime.engines import open_engine

            return open_engine(self.model, self.engine, self.precision, threads=threads).score
        if self.way == EAGER:
            return _eager(self.model, threads)
        if self.way == OPENVINO:
            return _openvino(self.model, threads)
        session = open_session(self.model, threads=threads)
        return lambda crops: session.run(["score"], {"crops": crops})[0]


@contextmanager
def pinned(threads: int) -> Iterator[tuple[int, ...]]:
    """Keep this thread, and those that it starts, to as many cores; give their numbers.

    The last ones that the process may use: the first take most of the interrupts.
    """
    allowed = os.sched_getaffinity(0)
    cores = tuple(sorted(allowed)[-threads:])
    os.sched_setaffinity(0, cores)
    try:
        yield cores
    finally:
        os.sched_setaffinity(0, allowed)


def memory_mb(
    contender: Contender, batches: Sequence[int], threads: int, crops: Crops
) -> list[float]:
    """Return the peak memory at each batch size, smallest first, of a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_peaks, contender, batches, threads, crops).result()


def _peaks(contender: Contender, batches: Sequence[int], threads: int, crops: Crops) -> list[float]:
    score, peaks = contender.open(threads), []
    for batch in batches:
        score(np.resize(crops, (batch, *crops.shape[1:])))
        peaks.append(own_peak_mb())
    return peaks


def _eager(model: Path, threads: int) -> Score:
    import torch

    from sealshot.export.rebuild import load_graph
    from sealshot.runtime.engines.manifest import load_manifest

    graph = load_graph(model, load_manifest(model))

    def score(crops: Crops) -> Floats:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            scores: Floats = graph(torch.from_numpy(crops)).numpy()
        return scores

    return score


def _openvino(model: Path, threads: int) -> Score:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(str(model), "CPU", settings)
    request, output = compiled.create_infer_request(), compiled.output(0)
    return lambda crops: np.array(request.infer({0: crops})[output])
