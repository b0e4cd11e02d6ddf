"""The steps of `sealshot board check`: each passes, fails, or is not available here."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from sealshot.benchmarks.board.check.fpga import forms_for, port_of, rates
from sealshot.benchmarks.board.check.golden import Golden, golden
from sealshot.benchmarks.energy.meters import NullMeter, open_meter
from sealshot.boards import boards, detect
from sealshot.runtime.cli.commands import show_env
from sealshot.runtime.crops import CROP_PX
from sealshot.runtime.engines import ENGINES, Scorer, open_engine
from sealshot.runtime.engines.weight_stream import same_graph
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.weights import score_graph
from sealshot.runtime.weights.forms import forms

PASSED, FAILED, ABSENT = "passed", "failed", "not available here"

# On the golden faces: the rank correlation at least, and the largest difference at most as a share
# of the spread. The faces are drawn, and int8 was calibrated on pictures: its ranges do not fit
# them, so that here only what is broken is told from what is rounded.
TOLERANCES = {
    "fp32": (0.9999, 0.01),
    "fp16": (0.9999, 0.05),
    "int8": (0.95, None),
    "w8a9": (0.9999, 0.0),  # an FPGA gives each bit of what its integer graph gives
}
# On pictures: the rank correlation with fp32 at least.
RANKS = {"fp16": 0.9999, "int8": 0.995}
BATCHES = (0, 1, 3, 17)
RATED = (1, 4, 16)
"""Faces in a call, of which the rate is measured."""


@dataclass(frozen=True)
class Plan:
    """What to check."""

    out: Path
    scores: tuple[str, ...]
    engines: tuple[str, ...]
    """That must be usable; empty: whichever are."""
    data: Path | None
    recognizer: Path | None
    meter: str
    seconds: float
    """Of a turn of a measurement."""
    threads: int


@dataclass(frozen=True)
class Outcome:
    """How a step ended."""

    verdict: str
    why: str
    """In a sentence."""
    rows: tuple[dict[str, Any], ...] = ()
    """A table, a row a thing that was looked at; the same keys in each."""
    facts: Any = None
    """All else, for machines."""


@dataclass(frozen=True)
class Candidate:
    """One engine on one form of one score."""

    score: str
    engine: str
    precision: str
    opened: Scorer | None
    why_not: str = ""
    build_s: float | None = None
    """Of a TensorRT plan that was built now."""


class Subject:
    """What the steps look at; engines are opened once, by the first step that asks."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every engine on every form of every score: opened, or why not."""
        return tuple(
            _open(score, engine, precision, file, self.plan.threads)
            for score in self.plan.scores
            for engine in self.plan.engines or ENGINES[1:]
            for precision, file in forms_for(score, engine).items()
        )

    @cached_property
    def usable(self) -> tuple[tuple[Candidate, Scorer], ...]:
        """The candidates that are open."""
        return tuple((c, c.opened) for c in self.candidates if c.opened is not None)


def environment_step(subject: Subject) -> Outcome:
    """Say what this machine is, and whether it is a board that sealshot knows."""
    found = detect()
    facts = {"detected": asdict(found), "environment": show_env.collect()}
    rows = tuple({"what": k, "value": v} for k, v in facts["environment"].items())
    if found.board is None:
        return Outcome(ABSENT, f"this board has no profile: {found.why}", rows, facts)
    board = boards()[found.board]
    said = f"{board.title}: {found.why}"
    if found.power_mode:
        said += f"; power mode {found.power_mode.name or found.power_mode.id}"
    if board.kind == "jetson" and not found.jetpack:
        said += f"; its Jetson Linux {found.l4t or '?'} is in no profile"
    return Outcome(PASSED, said, rows, facts)


def engine_step(subject: Subject) -> Outcome:
    """Open every engine; build the plans of TensorRT first, where it is installed."""
    rows = tuple(
        {
            "score": c.score,
            "engine": c.engine,
            "precision": c.precision,
            "state": PASSED if c.opened else ABSENT,
            "is": c.opened.description if c.opened else c.why_not,
            "built in s": c.build_s,
        }
        for c in subject.candidates
    )
    wanted = [c for c in subject.candidates if c.engine in subject.plan.engines and not c.opened]
    if wanted:
        return Outcome(FAILED, f"{wanted[0].engine} was asked for: {wanted[0].why_not}", rows)
    if not subject.usable:
        return Outcome(FAILED, "no engine can be opened", rows)
    names = dict.fromkeys(f"{c.engine} {c.precision}" for c, _ in subject.usable)
    return Outcome(PASSED, f"open: {', '.join(names)}", rows)


def numerics_step(subject: Subject) -> Outcome:
    """Compare each engine's scores with the reference scores; and with its own at other batches."""
    rows = []
    origins = {}
    for score in subject.plan.scores:
        reference = golden(score)
        origins[score] = reference.origin
        rows += [compare(c, e, reference) for c, e in subject.usable if c.score == score]
    wrong = [row for row in rows if row["state"] == FAILED]
    facts = {"reference": origins}
    if not rows:
        return Outcome(ABSENT, "no engine is open", (), facts)
    if not wrong and all(row["is the reference"] for row in rows):
        said = "only the engine that gives the reference is open; its batches agree"
        return Outcome(ABSENT, said, tuple(rows), facts)
    if wrong:
        names = ", ".join(f"{r['score']} {r['engine']} {r['precision']}" for r in wrong)
        return Outcome(FAILED, f"other scores than the reference: {names}", tuple(rows), facts)
    said = "; ".join(dict.fromkeys(origins.values()))
    return Outcome(PASSED, f"the same scores as the reference ({said})", tuple(rows), facts)


def compare(candidate: Candidate, engine: Scorer, reference: Golden) -> dict[str, Any]:
    """Return the row of one engine against the reference."""
    scores = np.asarray(engine.score(reference.crops), np.float64)
    least, most = TOLERANCES[candidate.precision]
    finite = bool(np.isfinite(scores).all())
    spread = float(reference.scores.std())
    off = float(np.abs(scores - reference.scores).max()) / spread if finite else None
    rank = None
    if finite:  # scores that are all the same rank nothing
        rank = float(spearmanr(scores, reference.scores).statistic) if np.ptp(scores) else 0.0
    batched = finite and _same_in_batches(engine, reference.crops, scores, spread)
    good = off is not None and rank is not None and rank >= least and (most is None or off <= most)
    return {
        "score": candidate.score,
        "engine": candidate.engine,
        "precision": candidate.precision,
        "state": PASSED if good and batched else FAILED,
        "is the reference": (candidate.engine, candidate.precision) == reference.made_by,
        "faces": len(scores),
        "rank correlation": None if rank is None else round(rank, 6),
        "at least": least,
        "largest difference, share of spread": off,
        "at most": most,
        "same in other batches": batched,
    }


def _same_in_batches(
    engine: Scorer, crops: NDArray[np.uint8], scores: NDArray[np.float64], spread: float
) -> bool:
    for count in BATCHES:
        part = engine.score(crops[:count])
        if part.shape != (min(count, len(crops)),):
            return False
        if np.abs(part - scores[:count]).max(initial=0.0) > 0.01 * spread:
            return False
    return True


def accuracy_step(subject: Subject) -> Outcome:
    """Gate the lower precisions by error-versus-reject curve, on data that the user has."""
    plan = subject.plan
    if plan.data is None or plan.recognizer is None:
        return Outcome(ABSENT, "no data set and face matcher given (--data, --recognizer)")
    rows = []
    for score in plan.scores:
        files = forms(score_graph(score)) if score_graph(score).suffix == ".onnx" else {}
        for precision, file in islice(files.items(), 1, None):
            argv = ["--reference", str(files["fp32"]), "--candidate", str(file), str(plan.data)]
            argv += ["--recognizer", str(plan.recognizer), "--fnmr", "0.05", "0.01"]
            code, said = quietly("sealshot.benchmarks.accuracy.erc.compare", [*argv, "--json"])
            result, least = json.loads(said), RANKS[precision]
            rows += [
                {
                    "score": score,
                    "precision": precision,
                    "state": PASSED if code == 0 and result["rank"] >= least else FAILED,
                    "rank correlation": round(result["rank"], 5),
                    "at least": least,
                    "start": start["start"],
                    "failures": start["errors"],
                    "pAUC(0.3) of fp32": round(start["reference"], 4),
                    "pAUC(0.3)": round(start["candidate"], 4),
                    "loss, 95 %": f"{start['loss_low']:+.3f} to {start['loss_high']:+.3f}",
                    "verdict": start["verdict"],
                }
                for start in result["starts"]
            ]
    if not rows:
        return Outcome(ABSENT, "there is only the fp32 form of each score: nothing to gate")
    if any(row["state"] == FAILED for row in rows):
        return Outcome(FAILED, "a lower precision is not shown to be as good", tuple(rows))
    return Outcome(PASSED, "the lower precisions are as good as fp32", tuple(rows))


def throughput_step(subject: Subject) -> Outcome:
    """Measure faces and frames per second with `sealshot bench throughput`."""
    plan, file = subject.plan, subject.plan.out / "throughput.json"
    if not subject.usable:
        return Outcome(ABSENT, "no engine is open")
    rows: tuple[dict[str, Any], ...] = ()
    facts: dict[str, Any] = {}
    if engines := _on_this_machine(subject):
        argv = ["--engines", ",".join(engines), "--threads", str(plan.threads), "--runs", "1"]
        argv += ["--batch", ",".join(map(str, RATED)), "--seconds", str(plan.seconds)]
        argv += ["--score", ",".join(_graphs(plan)), "-o", str(file)]
        quietly("sealshot.benchmarks.speed.throughput.command", argv)
        result = json.loads(file.read_text())
        facts = {"file": file.name, "left_out": result["left_out"]}
        rows = _measured(result)
    for candidate, board in subject.usable:
        if port_of(candidate.engine):
            crops = golden(candidate.score).crops
            name = f"{Path(candidate.score).stem}, {board.description}"
            rows += tuple(rates(board, name, crops, RATED, plan.seconds))
    best = max(rows, key=lambda row: row["faces/s"])
    said = f"up to {best['faces/s']:,.0f} faces/s: {best['name']}, batch {best['batch']}"
    return Outcome(PASSED, said, rows, facts)


def _on_this_machine(subject: Subject) -> list[str]:
    """Return the usable engines that are no board beside this machine."""
    return list(dict.fromkeys(c.engine for c, _ in subject.usable if not port_of(c.engine)))


def _graphs(plan: Plan) -> list[str]:
    return [score for score in plan.scores if score_graph(score).suffix == ".onnx"]


def _measured(result: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "name": row["name"],
            "batch": row["batch"],
            "threads": row["threads"],
            "faces/s": round(row["closed"]["faces_per_s"]["median"], 1),
            "ms a call, p50": round(row["closed"]["call_ms"]["p50"], 3),
            "p99": round(row["closed"]["call_ms"]["p99"], 3),
        }
        for row in result["rows"]
    )


def energy_step(subject: Subject) -> Outcome:
    """Measure energy with `sealshot bench energy`, where there is a meter."""
    plan, file = subject.plan, subject.plan.out / "energy.json"
    meter = open_meter(plan.meter)
    if isinstance(meter, NullMeter):
        return Outcome(ABSENT, f"nothing measures energy here: {meter.stop().why_not}")
    argv = ["--meter", plan.meter, "--seconds", str(max(10.0, plan.seconds)), "-o", str(file)]
    for candidate, _ in subject.usable:
        if port := port_of(candidate.engine):
            stream = score_graph(candidate.score)
            argv += ["--fpga", port, "--stream", str(stream), "--score", str(same_graph(stream))]
    if engines := _on_this_machine(subject):
        argv += ["--engines", ",".join(engines), "--score", ",".join(_graphs(plan))]
    else:
        argv += ["--engines", "onnxruntime"]  # the integer graph, beside the board
    quietly("sealshot.benchmarks.energy.command", [*argv, "--threads", str(plan.threads)])
    result = json.loads(file.read_text())
    if result["why_not"]:
        return Outcome(ABSENT, f"nothing measures energy here: {result['why_not']}")
    rows = tuple(
        {
            "load": load["name"],
            "channel": channel["name"],
            "total": channel["is_total"],
            "W": channel["watts"] and channel["watts"]["median"],
            "a second": load["per_s"] and load["per_s"]["median"],
            "J each": channel["joules_each"] and channel["joules_each"]["median"],
            "of": load["unit"],
        }
        for load in result["loads"]
        for channel in load["channels"]
    )
    said = f"measured by {meter.name}; idle is a row of its own and not subtracted"
    return Outcome(PASSED, said, rows, {"file": file.name, "left_out": result["left_out"]})


STEPS: tuple[tuple[str, Callable[[Subject], Outcome]], ...] = (
    ("environment", environment_step),
    ("engines", engine_step),
    ("numerics", numerics_step),
    ("accuracy", accuracy_step),
    ("throughput", throughput_step),
    ("energy", energy_step),
)


def quietly(module: str, argv: Sequence[str]) -> tuple[int, str]:
    """Run a command of the benchmarks in this process; return its exit code and what it printed."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = int(import_module(module).main(list(argv)))
    return code, said.getvalue()


def _open(score: str, engine: str, precision: str, file: Path, threads: int) -> Candidate:
    candidate = Candidate(score, engine, precision, None)
    try:
        if engine == "tensorrt":
            start = time.monotonic()
            from sealshot.export.tensorrt.build import build

            built = build(file)
            taken = None if built.from_cache else round(time.monotonic() - start, 1)
            candidate = replace(candidate, build_s=taken)
        precision = "auto" if port_of(engine) else precision  # it has one file, and one precision
        opened = open_engine(file, engine, precision, threads=threads)
        opened.score(np.zeros((1, 1, CROP_PX, CROP_PX), np.uint8))
    except (InputError, SealshotError) as error:
        return replace(candidate, why_not=error.fact)
    except ImportError as error:
        return replace(candidate, why_not=f"{error.name} is not installed")
    return replace(candidate, opened=opened)


def columns(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return the keys of a table in the order in which they were first used."""
    return list(dict.fromkeys(key for row in rows for key in row))
