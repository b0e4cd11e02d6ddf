"""Faces per second of one score: PyTorch, the plain export, and the graph that ships, in one run.

    python -m sealshot.benchmarks.scoring crowd.mp4 --score rp -o results/scoring-rp.json

All compute the same function from the same weights, read back from the graph that ships. In each
round every contender scores the same crops, in an order that changes, so that a busy machine slows
all of them; ratios are taken within a round, and medians over rounds. Needs the extra `export`.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from scipy.stats import spearmanr
from torch import nn

from sealshot.benchmarks.environment import Environment, environment
from sealshot.benchmarks.script import call, write_result
from sealshot.export.models.student import Student
from sealshot.export.models.vae import RpScore, Vae
from sealshot.export.onnx_export import to_onnx
from sealshot.runtime.arguments import Arguments, positive_int
from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.detect import open_detector
from sealshot.runtime.engines import open_engine
from sealshot.runtime.errors import InputError
from sealshot.runtime.manifest import Manifest
from sealshot.runtime.models import SCORES, score_graph
from sealshot.runtime.onnx_session import open_session
from sealshot.runtime.sources import open_source
from sealshot.runtime.terminal import note, progress, say, say_json, table, warn

Crops = NDArray[np.uint8]
Score = Callable[[Crops], NDArray[np.float32]]

BATCHES, THREADS = (1, 8, 32), (1, 2)
EAGER = "PyTorch eager"
PLAIN, SHIPPED = "ONNX Runtime, plain export", "ONNX Runtime, as shipped"

USAGE = f"""
usage: python -m sealshot.benchmarks.scoring SOURCE [options]

Score the faces found in SOURCE, a clip or a folder of pictures, with PyTorch eager, with the plain
ONNX export, and with the graph that ships; at several batch sizes, on one and two threads. Needs
`pip install 'sealshot[export]'`.

  --score NAME        {", ".join(SCORES)} (the first is the default), or a score graph FILE.onnx
  --faces N           crops to score in each round (default 64)
  --rounds N          (default 5)
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of a table

example:
  python -m sealshot.benchmarks.scoring crowd.mp4 --score rp -o results/scoring-rp.json
"""


@dataclass(frozen=True)
class Contender:
    """One way to score."""

    name: str
    batch: int
    threads: int
    score: Score
    """Takes at most ``batch`` crops."""


@dataclass(frozen=True)
class Speed:
    """Medians over rounds."""

    name: str
    batch: int
    threads: int
    faces_per_s: float
    cpu_ms_per_face: float
    """Processor time, all threads; other processes do not change it much."""
    to_eager: float | None
    """Times as fast as PyTorch eager, one crop at a time, on as many threads."""
    to_plain: float | None
    """Times as fast as the plain export at the same batch, on as many threads."""


@dataclass(frozen=True)
class Agreement:
    """The graph that ships against PyTorch in float64."""

    crops: int
    max_difference: float
    spread: float
    """Standard deviation of the scores, to judge the difference by."""
    spearman: float


@dataclass(frozen=True)
class Result:
    """The figures, and where they come from."""

    score: str
    model_sha256: str
    parameters: int
    macs_per_face: int
    source: str
    faces: int
    rounds: int
    speeds: tuple[Speed, ...]
    agreement: Agreement
    environment: Environment
    load_1min_end: float


def measure(model: Path, crops: Crops, faces: int, rounds: int, source: str) -> Result:
    """Time all contenders on one score.

    Args:
        model: a score graph with its manifest.
        crops: ``uint8 [n, 1, 64, 64]``; repeated to ``faces`` for the timing.
        faces: crops in a round.
        rounds: rounds.
        source: where the crops come from, for people.

    Raises:
        InputError: the model is not one that PyTorch can rebuild from its file.
    """
    where = environment(("torch", "onnx"))
    manifest = open_engine(model, threads=1).manifest
    graph = load_graph(model, manifest)
    with tempfile.TemporaryDirectory(prefix="sealshot-benchmark-") as folder:
        plain = Path(folder) / "plain.onnx"
        plain.write_bytes(to_onnx(graph, ["crops"], ["score"]))
        rivals = contenders(graph, plain, model)
    return Result(
        score=manifest.name,
        model_sha256=manifest.sha256,
        parameters=manifest.parameters,
        macs_per_face=manifest.macs_per_face,
        source=source,
        faces=faces,
        rounds=rounds,
        speeds=race(rivals, np.resize(crops, (faces, *crops.shape[1:])), rounds),
        agreement=agree(graph, model, crops),
        environment=where,
        load_1min_end=round(os.getloadavg()[0], 2),
    )


def load_graph(model: Path, manifest: Manifest) -> nn.Module:
    """Rebuild the PyTorch score graph whose folded export is ``model``.

    The scale of each batch norm is in the weights of the file; its shift becomes the batch norm's.
    Function and work are those of the graph before it was folded.

    Raises:
        InputError: the tensors in the file are not those of the architecture.
    """
    graph: nn.Module = Student()
    if manifest.samples:
        graph = RpScore(Vae(), manifest.seed, manifest.samples)
    tensors = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in onnx.load(model).graph.initializer
    }
    state = graph.state_dict()
    try:
        for name, layers in graph.named_modules():
            for i, layer in enumerate(layers if isinstance(layers, nn.Sequential) else ()):
                if isinstance(layer, nn.BatchNorm2d):
                    state[f"{name}.{i}.bias"] = tensors.pop(f"{name}.{i - 1}.bias")
                    state[f"{name}.{i}.running_var"].fill_(1 - layer.eps)  # so that it divides by 1
        graph.load_state_dict(state | tensors)
    except (KeyError, RuntimeError) as error:
        raise InputError(
            f"{model} does not hold the weights of the architecture: {str(error).splitlines()[0]}",
            hint="name a graph that `sealshot train` of this version wrote",
        ) from error
    return graph.eval()


def contenders(graph: nn.Module, plain: Path, shipped: Path) -> list[Contender]:
    """Return all that race, on each number of threads."""
    rivals = []
    for threads in THREADS:
        rivals += [Contender(EAGER, n, threads, _eager(graph, threads)) for n in (1, 32)]
        for name, path in ((PLAIN, plain), (SHIPPED, shipped)):
            score = _session(path, threads)
            rivals += [Contender(name, n, threads, score) for n in BATCHES]
    return rivals


def race(rivals: Sequence[Contender], crops: Crops, rounds: int) -> tuple[Speed, ...]:
    """Time the contenders in turn.

    Args:
        rivals: who races.
        crops: ``uint8 [n, 1, 64, 64]``: what each of them scores in each round.
        rounds: rounds.
    """
    wall, cpu = np.empty((2, rounds, len(rivals)))  # seconds
    order = np.random.default_rng(0)
    with progress("rounds", rounds) as bar:
        for turn in range(rounds):
            for i in order.permutation(len(rivals)):
                rival = rivals[i]
                batches = [crops[at : at + rival.batch] for at in range(0, len(crops), rival.batch)]
                rival.score(batches[0])  # warm-up
                start, start_cpu = time.perf_counter(), time.process_time()
                for batch in batches:
                    rival.score(batch)
                wall[turn, i] = time.perf_counter() - start
                cpu[turn, i] = time.process_time() - start_cpu
            bar.update(turn + 1)
    at = {(rival.name, rival.batch, rival.threads): i for i, rival in enumerate(rivals)}

    def times_as_fast(i: int, name: str, batch: int) -> float | None:
        than = at.get((name, batch, rivals[i].threads))
        return None if than is None else float(median(wall[:, than] / wall[:, i]))

    return tuple(
        Speed(
            name=rival.name,
            batch=rival.batch,
            threads=rival.threads,
            faces_per_s=len(crops) / float(median(wall[:, i])),
            cpu_ms_per_face=1e3 * float(median(cpu[:, i])) / len(crops),
            to_eager=times_as_fast(i, EAGER, 1),
            to_plain=times_as_fast(i, PLAIN, rival.batch),
        )
        for i, rival in enumerate(rivals)
    )


def agree(graph: nn.Module, shipped: Path, crops: Crops) -> Agreement:
    """Compare the scores of ``shipped`` with those of ``graph`` in float64."""
    with torch.inference_mode():
        exact = graph.double()(torch.from_numpy(crops)).numpy()  # [n]
    graph.float()
    scores = _session(shipped, 1)(crops)
    return Agreement(
        crops=len(crops),
        max_difference=float(np.abs(scores - exact).max()),
        spread=float(exact.std()),
        spearman=float(spearmanr(scores, exact).statistic),
    )


def faces_of(source: str, count: int) -> Crops:
    """Return the crops of the first ``count`` faces in a clip or a folder: ``[n, 1, 64, 64]``.

    Raises:
        InputError: there is no such source, or fewer than two faces in it.
    """
    detector = open_detector("mtcnn", threads=1)
    with open_source(source, report=warn) as frames:
        each = (
            crop
            for frame in frames
            for crop in crop_resize_grey(frame.image, [f.box for f in detector.detect(frame.image)])
        )
        found = list(islice(each, count))
    if len(found) < 2:
        raise InputError(f"{source} shows {len(found)} faces", hint="name one that shows more")
    return np.stack(found)


def main(argv: list[str]) -> int:
    """Run the benchmark."""
    arguments = Arguments("benchmarks.scoring", USAGE)
    add = arguments.add_argument
    add("source")
    add("--score", default=next(iter(SCORES)))
    add("--faces", type=positive_int, default=64)
    add("--rounds", type=positive_int, default=5)
    add("-o", "--output", type=Path)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    crops = faces_of(given.source, given.faces)
    model = score_graph(given.score)
    result = measure(model, crops, given.faces, given.rounds, Path(given.source).name)
    if given.json:
        say_json(asdict(result))
    else:
        _print(result)
    if given.output:
        write_result(given.output, asdict(result))
    return 0


def _eager(graph: nn.Module, threads: int) -> Score:
    def score(crops: Crops) -> NDArray[np.float32]:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            scores: NDArray[np.float32] = graph(torch.from_numpy(crops)).numpy()
        return scores

    return score


def _session(path: Path, threads: int) -> Score:
    session = open_session(path, threads=threads)
    return lambda crops: session.run(["score"], {"crops": crops})[0]


def _print(result: Result) -> None:
    table(
        ("", ">batch", ">threads", ">faces/s", ">cpu ms/face", ">to eager, 1", ">to plain export"),
        (
            (
                speed.name,
                str(speed.batch),
                str(speed.threads),
                f"{speed.faces_per_s:.0f}",
                f"{speed.cpu_ms_per_face:.2f}",
                *(f"{x:.2f}x" if x else "" for x in (speed.to_eager, speed.to_plain)),
            )
            for speed in result.speeds
        ),
    )
    agreement = result.agreement
    say(
        f"{result.score}, {result.parameters / 1e6:.2f} M parameters, "
        f"{result.macs_per_face / 1e6:.0f} MMACs; medians of {result.rounds} rounds of "
        f"{result.faces} faces on {result.environment.machine}, {result.environment.cores} cores"
    )
    say(
        f"against PyTorch in float64, {agreement.crops} crops: largest difference "
        f"{agreement.max_difference:.2g} (scores spread by {agreement.spread:.3g}), "
        f"Spearman {agreement.spearman:.6f}"
    )
    note(
        f"load average {result.environment.load_1min} before, {result.load_1min_end} after: trust "
        "the ratios"
    )


if __name__ == "__main__":
    call(main)
