"""The choice among engines and precisions: the fastest that is usable here, or what was named."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from sealshot.runtime.crops import CROP_PX
from sealshot.runtime.engines.heedful import Heedful, open_expression
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.engines.plans import PLAN
from sealshot.runtime.engines.scorer import GraphScorer, Scorer
from sealshot.runtime.engines.screen import Screen
from sealshot.runtime.engines.spare import Spare, tell
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.weights.forms import (
    PRECISIONS,
    check_recipe,
    forms,
    full_form,
    processor_recipes,
)


def open_onnxruntime(model: Path, threads: int = 0) -> GraphScorer:
    """Open a score graph on ONNX Runtime.

    Raises:
        InputError: the file or its manifest is missing or wrong, or it is no score graph.
    """
    manifest = load_manifest(model)
    return GraphScorer(OnnxRuntimeRunner(model, threads=threads), manifest)


def _fpga(model: Path, threads: int, device: str) -> Scorer:
    from sealshot.runtime.engines.fpga import FpgaRunner
    from sealshot.runtime.engines.weight_stream import same_graph

    port, comma, spare = device.partition(",")
    if port in ("", "spi:") or (comma and spare != SPARE):
        raise InputError(
            f"'{device}' names no FPGA" if device else "which FPGA?",
            hint="name its port, as in --engine fpga:/dev/ttyUSB0, or fpga:sim; "
            f"with ,{SPARE} behind it this processor goes on where the FPGA fails",
        )
    manifest = load_manifest(model)
    if not comma:
        return GraphScorer(FpgaRunner(model, port), manifest)
    processor = open_onnxruntime(same_graph(model), threads)
    try:
        return Spare(GraphScorer(FpgaRunner(model, port), manifest), processor)
    except SealshotError as error:
        tell(error.fact, processor)
        processor.why = error.fact
        return processor


def _tensorrt(model: Path, _threads: int, _device: str) -> GraphScorer:
    from sealshot.runtime.engines.device_scorer import DeviceScorer
    from sealshot.runtime.engines.tensorrt import TensorRtRunner

    return DeviceScorer(TensorRtRunner(model))


@dataclass(frozen=True)
class Kind:
    """What the choice knows of an engine."""

    open: Callable[[Path, int, str], Scorer]
    """Open a file on some threads, on the device that was named. Where the engine is not usable it
    raises InputError with the reason."""
    forms: Callable[[Path], dict[str, Path]]
    """The files of a model that are for it, by precision."""
    recipes: Callable[[], tuple[str, ...]]
    """Of int8, that it takes; the best first."""
    built: str = ""
    """Suffix of the files that are built for it alone."""


TENSORRT_RECIPES = ("tensorrt",)
FPGA = "fpga"
"""Followed by a colon and the port of the board, or ``sim``; then perhaps a comma and
:data:`SPARE`."""
SPARE = "cpu"
KINDS = {
    "onnxruntime": Kind(
        lambda model, threads, _device: open_onnxruntime(model, threads), forms, processor_recipes
    ),
    "tensorrt": Kind(
        _tensorrt, partial(forms, recipes=TENSORRT_RECIPES), lambda: TENSORRT_RECIPES, PLAN
    ),
    FPGA: Kind(_fpga, lambda _model: {}, tuple, ".fpga"),
}
ENGINES = ("auto", *KINDS)
PRECISION_CHOICES = ("auto", *PRECISIONS)

ONLY_NAMED = "int8"
"""`auto` leaves it. Alone it often chooses another frame of a track than fp32. As a screen
(`screen.py`) it does not, but how fast that is depends on the scene, which no probe knows: on eight
clips 3 % to 92 % of the faces were scored again, and from about 60 % on fp32 alone is faster."""
CPU_ENGINES = ("onnxruntime",)
"""`auto` does not try them with fp16: a CPU computes it in fp32, with casts in between."""
PROBE_FACES = 8
PROBE_ROUNDS = 5
WORTHWHILE = 1.1
"""How much faster a lower precision must be to be preferred."""


def open_engine(
    model: Path, engine: str = "auto", precision: str = "auto", *, threads: int = 0
) -> Scorer:
    """Open a score graph on the fastest engine and precision that are usable, or on those named.

    Where several are usable they are measured, for a fraction of a second, on the machine as it is.
    :attr:`Scorer.why` says what decided. int8 is opened only where it is named, or the only one.

    Args:
        model: ``NAME.onnx``, whose other precisions lie beside it as ``NAME.fp16.onnx`` and
            ``NAME.int8.onnx``; or one of those, or ``NAME.plan``, which stands for itself alone.
        engine: one of :data:`ENGINES`.
        precision: one of :data:`PRECISION_CHOICES`.
        threads: for the engines of the CPU; 0 takes one a core.

    Raises:
        InputError: there is no such engine or precision, a model file is wrong, or what was named
            is not usable here; the fact says why.
        SealshotError: what was named broke, such as a GPU.
    """
    engine, _, device = engine.partition(":")
    if device and engine != FPGA:
        raise InputError(f"the engine {engine} takes no device", hint=f"leave ':{device}' out")
    opened: list[Scorer] = []
    problems: list[SealshotError] = []
    for name, file in candidates(model, engine, precision):
        try:
            _check_recipe(name, file)
            opened.append(KINDS[name].open(file, threads, device))
        except SealshotError as error:
            problems.append(error)
    if not opened:
        raise problems[0]
    if len(opened) > 1:
        return _fastest(opened)
    reasons = dict.fromkeys(error.fact for error in problems)
    alone = "; ".join(("the only usable one", *reasons)) if reasons else "the only one"
    opened[0].why = opened[0].why or alone
    return opened[0]


def open_for_tracks(
    model: Path, engine: str = "auto", precision: str = "auto", *, threads: int = 0
) -> Scorer:
    """Open a score graph to find the best face of each track.

    As :func:`open_engine`, but heedful of eyes, mouth and turn where the score is to be, and int8
    screens for the fp32 form that lies beside it. Where it cannot it is opened all the same, and
    :attr:`Scorer.why` says why.

    Raises:
        InputError: see :func:`open_engine`; or the network of the eyes is missing or wrong.
    """
    opened = open_screened(model, engine, precision, threads=threads)
    expression = open_expression(model, opened.manifest, threads=threads)
    return Heedful(opened, expression) if expression else opened


def open_screened(
    model: Path, engine: str = "auto", precision: str = "auto", *, threads: int = 0
) -> Scorer:
    """Open a score graph; int8 screens for the fp32 form that lies beside it, where it can.

    Raises:
        InputError: see :func:`open_engine`.
    """
    opened = open_engine(model, engine, precision, threads=threads)
    if opened.manifest.precision != "int8":
        return opened
    try:
        return Screen(opened, _open_full(full_form(model), engine, threads))
    except SealshotError as error:
        opened.why += f"; it decides without fp32: {error.fact}; {error.hint}"
        return opened


def _open_full(model: Path, engine: str, threads: int) -> Scorer:
    """Open fp32 on the engine that was chosen, or on another where that one has no fp32."""
    try:
        return open_engine(model, engine, "fp32", threads=threads)
    except SealshotError:
        if engine == "auto":
            raise
        return open_engine(model, "auto", "fp32", threads=threads)


def engine_forms(model: Path, engine: str) -> dict[str, Path]:
    """Return the files of a model that are for an engine, by precision; see :func:`forms`."""
    return KINDS[engine].forms(model)


def _check_recipe(engine: str, model: Path) -> None:
    """Refuse int8 of another recipe; what was built for an engine was checked when it was built.

    Raises:
        InputError: it is.
    """
    if model.suffix != KINDS[engine].built:
        recipe = load_manifest(model).calibration.get("recipe")
        by = "this processor" if engine in CPU_ENGINES else engine
        check_recipe(model, recipe, KINDS[engine].recipes(), by)


def survey(model: Path) -> Iterator[tuple[str, str, Scorer | SealshotError]]:
    """Yield each engine and precision of a model: opened for tracks, or why it is not usable."""
    for name in KINDS:
        for precision in engine_forms(model, name):
            try:
                yield name, precision, open_for_tracks(model, name, precision, threads=1)
            except SealshotError as error:
                yield name, precision, error


def candidates(model: Path, engine: str, precision: str) -> list[tuple[str, Path]]:
    """Return the engines and files that a user's choice leaves.

    Args:
        model: as of :func:`open_engine`.
        engine: one of :data:`ENGINES`.
        precision: one of :data:`PRECISION_CHOICES`.

    Raises:
        InputError: there is no such engine, precision or file, or one of the files is wrong.
    """
    for given, choices, what in (
        (engine, ENGINES, "engine"),
        (precision, PRECISION_CHOICES, "precision"),
    ):
        if given not in choices:
            raise InputError(
                f"there is no {what} '{given}'", hint=f"use one of {', '.join(choices)}"
            )
    for name, kind in KINDS.items():
        if model.suffix == kind.built:
            if engine not in ("auto", name):
                raise InputError(f"{model} is built for {name}", hint="leave --engine out")
            return [(name, model)]
    if model.suffix != ".onnx":
        built = ", ".join(f"FILE{kind.built}" for kind in KINDS.values() if kind.built)
        raise InputError(f"no engine runs {model}", hint=f"name a FILE.onnx, or a {built}")
    if engine == FPGA:
        from sealshot.runtime.engines.weight_stream import stream_of

        stream = stream_of(model)
        raise InputError(
            f"{model} holds no weights for an FPGA",
            hint=f"name {stream} beside it with --score"
            if stream.is_file()
            else f"`sealshot export {full_form(model)} --engine fpga --calibrate FACES -o DIR` "
            "makes a FILE.fpga; name it with --score",
        )
    names = tuple(KINDS) if engine == "auto" else (engine,)
    files = {name: engine_forms(model, name) for name in names}
    if precision != "auto":
        having = dict.fromkeys(p for each in files.values() for p in each)
        if precision not in having:
            options = ""
            if precision == "int8":
                recipe = KINDS[names[0]].recipes()[0]
                own = f" --recipe {recipe}" if recipe != processor_recipes()[0] else ""
                options = f"{own} --calibrate FACES"
            raise InputError(
                f"{model} has no {precision} form for {' or '.join(names)}, "
                f"only {', '.join(having)}",
                hint=f"name {full_form(model)}"
                if precision == "fp32"
                else f"make it with `sealshot export {full_form(model)} --precision "
                f"fp32,{precision}{options} -o DIR`",
            )
        files = {n: {p: f for p, f in each.items() if p == precision} for n, each in files.items()}
    for file in dict.fromkeys(f for each in files.values() for f in each.values()):
        load_manifest(file)  # a damaged file is an error, not a reason to take the next
    return [
        (name, file)
        for name, each in files.items()
        for form, file in each.items()
        if precision != "auto"
        or len(each) == 1
        or not (form == ONLY_NAMED or (name in CPU_ENGINES and form == "fp16"))
    ]


def _fastest(engines: Sequence[Scorer]) -> Scorer:
    """Measure engines side by side and return the fastest.

    The first is that of the fullest precision; each of the others must be :data:`WORTHWHILE` times
    as fast as the one chosen so far, so that noise does not decide between equals.
    """
    random = np.random.default_rng(0)
    crops = random.integers(0, 256, (PROBE_FACES, 1, CROP_PX, CROP_PX), np.uint8)
    best_ms = [float("inf")] * len(engines)
    for _ in range(PROBE_ROUNDS):
        for i, engine in enumerate(engines):
            start = time.perf_counter()
            engine.score(crops)
            best_ms[i] = min(best_ms[i], 1e3 * (time.perf_counter() - start) / PROBE_FACES)
    chosen = 0
    for i in range(1, len(engines)):
        if best_ms[i] * WORTHWHILE < best_ms[chosen]:
            chosen = i
    others = "; ".join(
        f"{engine.description} {ms:.2f}"
        for i, (engine, ms) in enumerate(zip(engines, best_ms, strict=True))
        if i != chosen
    )
    engines[chosen].why = f"measured {best_ms[chosen]:.2f} ms a face; {others}"
    return engines[chosen]
