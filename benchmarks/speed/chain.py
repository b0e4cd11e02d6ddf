"""`sealshot bench chain`: from a frame in device memory to scores, on TensorRT.

The whole chain, crop, plan, likelihood and argmax, as one CUDA graph and launched piece by piece;
and beside it, in the same rounds, crops cut on the CPU and scored by the engine. Times end when the
scores are on the host.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any

import cv2
import numpy as np

from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.kernels.device import DeviceFrame
from sealshot.kernels.errors import DeviceError
from sealshot.kernels.memory import DeviceArray
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.terminal import note, say, say_json, table
from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.engines import PRECISION_CHOICES, GraphScorer, open_engine
from sealshot.runtime.engines.chain import open_chain
from sealshot.runtime.engines.tensorrt import TensorRtRunner
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.types import Floats, Image
from sealshot.runtime.weights import DEFAULT_SCORE, SCORES, score_graph

FACES = (1, 4, 16, 32)
TRACKS = 64
FARTHEST = 0.01
"""A score may differ by this share of the spread of scores: the CPU rounds its crops otherwise."""

USAGE = f"""
usage: sealshot bench chain [options]

Measure the chain from a frame in device memory to scores, with its plan of TensorRT: as one CUDA
graph, launch by launch, and with crops cut on the CPU. Checks that all three give the same scores.
Without TensorRT, a GPU or the plan it says so, writes why, and ends with 1.

  --score NAME        {", ".join(SCORES)} (default {DEFAULT_SCORE}), or a score graph FILE.onnx
  --precision NAME    {", ".join(PRECISION_CHOICES)} (default auto)
  --rounds N          (default 200)
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of a table

example:
  sealshot export quality --engine tensorrt && sealshot bench chain -o results/chain.json
"""


@dataclass(frozen=True)
class Row:
    """One number of faces; medians of the rounds."""

    faces: int
    graph_us: float
    """The chain as one CUDA graph."""
    launches_us: float
    """The chain, launch by launch."""
    cpu_crops_us: float
    """Crops cut on the CPU, then the engine, which is a CUDA graph too."""
    largest_difference: float
    """Between the chain's scores and those of crops cut on the CPU, share of their spread."""


def measure(engine: GraphScorer, rounds: int) -> tuple[Row, ...]:
    """Measure each number of faces on a frame of the demo clip.

    Raises:
        DeviceError: the GPU failed, or a kernel cannot be compiled.
        SealshotError: TensorRT failed, or the chain gives other scores than the engine.
    """
    image, boxes = scene(max(FACES))
    memory = DeviceArray.of(image)
    frame = DeviceFrame.of(memory)
    if not isinstance(engine.runner, TensorRtRunner):
        raise TypeError(f"{engine.description} is no TensorRT")
    chain = open_chain(engine.runner, TRACKS)
    plain = open_chain(engine.runner, TRACKS, record=False)
    rows = []
    for faces in FACES:
        some = boxes[:faces]
        slots = np.arange(faces, dtype=np.int32) % TRACKS
        ways: tuple[Callable[[], Floats], ...] = (
            partial(chain.score, frame, some, slots),
            partial(plain.score, frame, some, slots),
            partial(_on_cpu_crops, engine, image, some),
        )
        scores = [way() for way in ways]
        spread = max(float(np.std(engine.manifest.score_quantiles)), 1e-6)
        off = max(float(np.abs(s - scores[-1]).max()) / spread for s in scores[:-1])
        if not off <= FARTHEST:
            raise SealshotError(
                f"the chain gives other scores for {faces} faces: off by {off:.3g} of the spread",
                hint="run `pytest -m gpu tests/kernels tests/runtime/engines`",
            )
        times: list[list[float]] = [[] for _ in ways]
        for _ in range(rounds):
            for way, taken in zip(ways, times, strict=True):
                start = time.perf_counter()
                way()
                taken.append(1e6 * (time.perf_counter() - start))
        graph_us, launches_us, cpu_crops_us = (round(median(taken), 1) for taken in times)
        rows.append(Row(faces, graph_us, launches_us, cpu_crops_us, off))
    chain.close()
    return tuple(rows)


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("bench chain", USAGE)
    add = arguments.add_argument
    add("--score", default=DEFAULT_SCORE)
    add("--precision", choices=PRECISION_CHOICES, default=PRECISION_CHOICES[0])
    add("--rounds", type=positive_int, default=200)
    add("-o", "--output", type=output_file)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    fields: dict[str, Any] = {"kind": "chain", "score": given.score, "why_not": ""}
    error: SealshotError | DeviceError | None = None
    try:
        engine = open_engine(score_graph(given.score), "tensorrt", given.precision)
        if not isinstance(engine, GraphScorer):
            raise TypeError(f"{engine.description} is no graph")
        rows = measure(engine, given.rounds)
        fields |= {"engine": engine.description, "rows": [asdict(row) for row in rows]}
    except (InputError, DeviceError) as caught:
        error = caught
        fields["why_not"] = caught.fact
    fields["environment"] = asdict(environment(("tensorrt",)))
    if given.output:
        write_result(given.output, fields)
    if given.json:
        say_json(fields)
    elif error is not None:
        say(f"chain: not measured. {error.fact}")
        note(f"hint: {error.hint}")
    else:
        heads = (">faces", ">us, one graph", ">us, launches", ">us, crops on the CPU")
        table(
            heads,
            (
                (str(r.faces), *(f"{t:.1f}" for t in (r.graph_us, r.launches_us, r.cpu_crops_us)))
                for r in rows
            ),
        )
        say(engine.description)
    return 1 if error is not None else 0


def _on_cpu_crops(engine: GraphScorer, image: Image, boxes: Floats) -> Floats:
    return engine.score(crop_resize_grey(image, list(boxes)))


def scene(faces: int) -> tuple[Image, Floats]:
    """Return a frame of 1080 by 1920, and boxes of many sizes in it."""
    portrait = np.asarray(cv2.imread(str(PORTRAIT), cv2.IMREAD_COLOR), np.uint8)
    image = np.asarray(cv2.resize(portrait, (1920, 1080)), np.uint8)
    random = np.random.default_rng(0)
    corners = random.uniform((0, 0), (1500, 700), (faces, 2))
    sides = random.uniform(30, 360, (faces, 1))
    return image, np.hstack([corners, corners + sides]).astype(np.float32)
