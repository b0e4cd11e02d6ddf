"""From an ONNX graph to a TensorRT plan, on the machine that will run it.

    built = build(model, batch=Batch(1, 8, 32))  # `sealshot export MODEL --engine tensorrt`

A build takes seconds to many minutes, so it shows its progress, keeps its timings for the next
one, and is skipped where the same plan was built before. Ctrl-C ends it and leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from sealshot.export.tensorrt.progress import BuildProgress
from sealshot.runtime.cli.terminal import note, progress
from sealshot.runtime.engines.choice import KINDS
from sealshot.runtime.engines.eyes import copy_eyes
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.engines.plans import (
    DEFAULT_BATCH,
    PLAN,
    Batch,
    PlanManifest,
    Target,
    plans_folder,
    read_plan,
    read_plan_manifest,
    require_writable,
)
from sealshot.runtime.engines.tensorrt import TensorRt, open_tensorrt
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import cache_folder, write_atomic
from sealshot.runtime.weights.forms import check_recipe

T = TypeVar("T")
POLL_S = 0.2


@dataclass(frozen=True)
class Built:
    """A plan that fits this machine."""

    plan: Path
    manifest: PlanManifest
    from_cache: bool
    """It was built before."""


def build(
    model: Path,
    out: Path | None = None,
    *,
    board: str | None = None,
    batch: Batch = DEFAULT_BATCH,
    dla_core: int | None = None,
    workspace_mib: int | None = None,
    cache: Path | None = None,
    rebuild: bool = False,
) -> Built:
    """Build the TensorRT plan of a model for this machine, or take the one built before.

    Args:
        model: ``NAME.onnx`` with its manifest ``NAME.json`` beside it. The precision is the graph's
            own: float16 tensors, or explicit quantisation by TensorRT's recipe.
        out: folder for ``NAME.plan`` and ``NAME.json``; None leaves them in the cache, where
            ``sealshot run`` finds them.
        board: the profile of this machine, checked if it is given; plans cannot be built elsewhere.
        batch: smallest, usual and largest number of crops at once.
        dla_core: build for this core of the deep-learning accelerator.
        workspace_mib: scratch memory that a layer may take; None sets no limit.
        cache: cache folder, see :func:`cache_folder`.
        rebuild: build even if there is a plan.

    Raises:
        InputError: the model, the board, the batch or the DLA core is wrong, or TensorRT is not
            usable here.
        SealshotError: the build failed, or a folder cannot be written to.
        KeyboardInterrupt: it was stopped; nothing was written.
    """
    manifest = load_manifest(model)
    check_batch(batch)
    recipe = manifest.calibration.get("recipe")
    check_recipe(model, recipe, KINDS["tensorrt"].recipes(), "TensorRT")
    if dla_core is not None:
        if manifest.precision == "fp32":
            raise InputError(
                f"{model} is fp32, and the deep-learning accelerator computes in fp16 and int8",
                hint="give the .fp16.onnx of the model, or leave --dla out",
            )
        batch = Batch(batch.usual, batch.usual, batch.usual)  # a DLA knows no other size
    tensorrt = open_tensorrt()
    if board is not None and tensorrt.board != board:
        raise InputError(
            f"this machine is {tensorrt.board or 'of no known board'}, not {board}",
            hint="a plan is bound to its GPU: build it on the board that runs it",
        )
    cache = cache or cache_folder()
    folder = out or plans_folder(cache)
    for each in (cache, folder):
        require_writable(each)

    planned = PlanManifest("", manifest, tensorrt.target, batch, dla_core, 0.0)
    plan = folder / f"{planned.name}{PLAN}"
    if not rebuild and (kept := _kept(plan, planned, tensorrt.target)):
        return Built(plan, kept, from_cache=True)

    start = time.monotonic()
    timings = cache / f"timings-trt{tensorrt.target.tensorrt}-{_name(tensorrt.target)}.cache"
    data, measured = _build(tensorrt, model, batch, dla_core, workspace_mib, timings)
    done = replace(
        planned,
        plan_sha256=hashlib.sha256(data).hexdigest(),
        build_s=round(time.monotonic() - start, 1),
    )
    # the manifest last: a plan without one is never loaded
    copy_eyes(model, manifest, folder)
    _write(plan, data)
    done.write(plan)
    if measured:
        _write(timings, measured)
    return Built(plan, done, from_cache=False)


def check_batch(batch: Batch) -> None:
    """Refuse a batch profile that TensorRT would.

    Raises:
        InputError: it does not rise from at least 1.
    """
    if not 1 <= batch.smallest <= batch.usual <= batch.largest:
        raise InputError(
            f"a batch of {batch} does not rise from smallest over usual to largest",
            hint=f"leave --batch out for {DEFAULT_BATCH}",
        )


def _kept(plan: Path, planned: PlanManifest, here: Target) -> PlanManifest | None:
    """Return the manifest of the plan that was built before, if it is whole and for here."""
    try:
        read_plan(plan, here)
        kept = read_plan_manifest(plan)
    except InputError:
        return None
    return kept if replace(kept, plan_sha256="", build_s=0.0) == planned else None


def _build(
    tensorrt: TensorRt,
    model: Path,
    batch: Batch,
    dla_core: int | None,
    workspace_mib: int | None,
    timings: Path,
) -> tuple[bytes, bytes]:
    """Build in a thread of its own, so that Ctrl-C is heard, and show how far it is."""
    from sealshot.runtime.engines import tensorrt_api as api

    state = BuildProgress()
    monitor = api.Monitor(state.started, state.stepped, state.finished, state.go_on)
    options = api.BuildOptions(
        batch, dla_core, None if workspace_mib is None else workspace_mib << 20
    )
    onnx = model.read_bytes()
    before = timings.read_bytes() if timings.is_file() else b""

    def work() -> tuple[bytes, bytes] | None:
        tensorrt.device.use()
        return api.build_plan(onnx, options, before, monitor)

    with progress(f"building {model.name}", 100) as bar:
        result = in_thread(work, lambda: state.show(bar), state.stop)
    if result is None:
        raise SealshotError("the build was ended", hint="start it again")
    return result


def in_thread(work: Callable[[], T], tick: Callable[[], None], stop: Callable[[], None]) -> T:
    """Do work in a thread while this one hears Ctrl-C and shows progress.

    Python hears Ctrl-C in its main thread alone, and raising it inside a callback of TensorRT would
    end the process. So the main thread waits here; on Ctrl-C it asks the work to ``stop``, waits
    until it has, and raises KeyboardInterrupt.
    """
    with ThreadPoolExecutor(1, "build") as pool:  # waits for the thread at its end
        result = pool.submit(work)
        try:
            while not wait([result], POLL_S).done:
                tick()
        except KeyboardInterrupt:
            stop()
            note("stopping as soon as TensorRT has ended the step that it is in")
            raise
        return result.result()


def _name(target: Target) -> str:
    return f"sm{target.compute_capability}-{target.device}".lower().replace(" ", "_")


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomic(path, data)
    except OSError as error:
        raise SealshotError(
            f"{path} cannot be written: {error.strerror}", hint="name another folder with -o"
        ) from error
