"""Time on the device: contenders that take turns on rotating buffers, and single launches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np

from sealshot.benchmarks.speed.kernels.errors import random_gaussians
from sealshot.kernels.device import DeviceFrame, DeviceKernels
from sealshot.kernels.driver import Event, Graph, Stream
from sealshot.kernels.memory import DeviceArray, PinnedArray

LATENCY_FACES = (1, 4, 16)
ROTATION_BYTES = 1 << 29
"""Of all buffers together, at least: several times the cache of any GPU."""
MOST_BUFFERS = 8
FRAME, LATENTS, SAMPLES, PIXELS, TRACKS = (1080, 1920, 3), 128, 10, 4096, 64
SPLITS = (1, 2, 4, 5, 10)
LAUNCHES = 20
"""In a round of single launches."""

Rates = Mapping[str, list[float]]
"""Milliseconds a call of each contender, one for each round."""


@dataclass(frozen=True)
class Buffers:
    """One set of inputs, and the output, on the device."""

    x: DeviceArray
    mu: DeviceArray
    log_var: DeviceArray
    out: DeviceArray

    @property
    def nbytes(self) -> int:
        """What the likelihood must move: each input read once, the output written once."""
        return sum(a.nbytes for a in (self.x, self.mu, self.log_var, self.out))


def likelihood_buffers(items: int, samples: int, pixels: int, type: str) -> list[Buffers]:
    """Make at least two sets of inputs, of :data:`ROTATION_BYTES` together."""
    few = min(items, 16)  # repeated: the values do not matter to the time
    arrays = random_gaussians(few, samples, pixels, 0)
    x, mu, log_var = (
        np.resize(a, (items, *a.shape[1:])).astype(dtype)
        for a, dtype in zip(arrays, ("uint8", type, type), strict=True)
    )
    each = x.nbytes + mu.nbytes + log_var.nbytes
    count = max(2, min(MOST_BUFFERS, -(-ROTATION_BYTES // each)))
    return [
        Buffers(
            DeviceArray.of(x),
            DeviceArray.of(mu),
            DeviceArray.of(log_var),
            DeviceArray.zeros((items,), np.float32),
        )
        for _ in range(count)
    ]


def race(
    contenders: Mapping[str, Callable[[int], object]], buffers: int, rounds: int, stream: Stream
) -> Rates:
    """Let contenders take turns: in each round each goes through all buffers, in a new order."""
    names = list(contenders)
    rates: dict[str, list[float]] = {name: [] for name in names}
    start, end = Event(), Event()
    for name in names:  # warm up: compile, load, allocate
        for i in range(buffers):
            contenders[name](i)
    stream.synchronize()
    for turn in range(rounds):
        for k in range(len(names)):
            name = names[(turn + k) % len(names)]
            start.record(stream)
            for i in range(buffers):
                contenders[name](i)
            end.record(stream)
            rates[name].append(end.ms_since(start) / buffers)
    start.close()
    end.close()
    return rates


@dataclass(frozen=True)
class Latency:
    """The chain of kernels on one frame, from the first launch to scores on the host."""

    faces: int
    launches_us: float
    """Launched one by one; median."""
    graph_us: float
    """As one CUDA graph; median."""
    likelihood_us: float
    """The likelihood alone, launched and waited for; median."""


def measure_latency(kernels: DeviceKernels, faces: int, rounds: int) -> Latency:
    """Time crop, latents, likelihood, argmax and the copy of the scores, without the networks.

    Args:
        kernels: of the device.
        faces: in the frame.
        rounds: rounds of :data:`LAUNCHES` each way, taking turns.
    """
    stream = Stream()
    random = np.random.default_rng(7)
    frame = DeviceArray.of(random.integers(0, 256, FRAME, np.uint8))
    picture = DeviceFrame.of(frame)
    corners = random.uniform(0, 900, (faces, 2))
    boxes = DeviceArray.of(np.hstack([corners, corners + 150]).astype(np.float32))
    crops = DeviceArray.empty((faces, 1, 64, 64), np.uint8)
    _, mus, log_vars = random_gaussians(faces, SAMPLES, PIXELS, 1)
    mu, log_var = (
        DeviceArray.of(mus.astype(np.float16)),
        DeviceArray.of(log_vars.astype(np.float16)),
    )
    z_mu, z_log_var = (DeviceArray.zeros((faces, LATENTS), np.float16) for _ in range(2))
    noise = DeviceArray.of(random.standard_normal((SAMPLES, LATENTS), np.float32))
    z = DeviceArray.empty((faces, SAMPLES, LATENTS), np.float16)
    scores = DeviceArray.empty((faces,), np.float32)
    slots = DeviceArray.of(np.arange(faces, dtype=np.int32))
    frames = DeviceArray.zeros((faces,), np.int64)
    best = DeviceArray.of(np.full(TRACKS, -np.inf, np.float32))
    best_frames = DeviceArray.zeros((TRACKS,), np.int64)
    won = DeviceArray.empty((faces,), np.uint8)
    workspace, host = kernels.rp_workspace(faces, SAMPLES), PinnedArray((faces,), np.float32)
    x = crops.view((faces, PIXELS))

    def likelihood() -> None:
        kernels.rp_likelihood(x, mu, log_var, scores, workspace=workspace, stream=stream)

    def chain() -> None:
        kernels.crop_resize_grey(picture, boxes, crops, stream=stream)
        kernels.sample_latents(z_mu, z_log_var, noise, z, stream=stream)
        likelihood()
        kernels.track_argmax(scores, slots, frames, best, best_frames, won, stream=stream)
        scores.get(host.host, stream)

    chain()
    stream.synchronize()
    with stream.capture() as graph:
        chain()
    ways: dict[str, Callable[[], None]] = {
        "launches": chain,
        "graph": lambda: graph.launch(stream),
        "likelihood": likelihood,
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 1):
        for way, work in ways.items():
            for _ in range(LAUNCHES):
                start = time.perf_counter()
                work()
                stream.synchronize()
                if turn:  # the first round warms up
                    times[way].append((time.perf_counter() - start) * 1e6)
    graph.close()
    host.close()
    stream.close()
    return Latency(faces, *(round(median(times[way]), 2) for way in ways))


@dataclass(frozen=True)
class SplitTime:
    """The likelihood in fp16, with each item's samples split over some blocks."""

    items: int
    split: int
    microseconds: float
    """On the device; median."""


def measure_splits(
    kernels: DeviceKernels, items: Sequence[int], rounds: int
) -> tuple[SplitTime, ...]:
    """Time the likelihood at every split that divides the work differently."""
    stream, found = Stream(), []
    for n in items:
        buffers = likelihood_buffers(n, SAMPLES, PIXELS, "float16")
        workspace = kernels.rp_workspace(n, SAMPLES)
        ways: dict[str, Callable[[int], object]] = {}
        for split in SPLITS:  # graphs: few items take less time than Python's launches
            with stream.capture() as graph:
                for b in buffers:
                    kernels.rp_likelihood(
                        *(b.x, b.mu, b.log_var, b.out),
                        workspace=workspace,
                        split=split,
                        stream=stream,
                    )
            ways[str(split)] = partial(_launch, graph, stream)
        rates = race(ways, LAUNCHES, rounds, stream)
        found += [
            SplitTime(n, int(split), round(median(rates[split]) / len(buffers) * 1e3, 2))
            for split in ways
        ]
    stream.close()
    return tuple(found)


def _launch(graph: Graph, stream: Stream, _: int) -> None:
    graph.launch(stream)
