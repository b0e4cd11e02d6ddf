"""TensorRT on an NVIDIA GPU: runs what `sealshot export --engine tensorrt` built on it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sealshot.boards import detect
from sealshot.kernels.device import DeviceKernels
from sealshot.kernels.driver import Device, Graph, Stream, open_device
from sealshot.kernels.errors import DeviceError
from sealshot.kernels.memory import DeviceArray, PinnedArray
from sealshot.runtime.crops import CROP_PX
from sealshot.runtime.engines.base import Engine
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.engines.plans import (
    Batch,
    Target,
    cache_folder,
    find_plan,
    read_plan,
    read_plan_manifest,
)
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.types import Floats

if TYPE_CHECKING:
    from sealshot.runtime.engines.tensorrt_api import Context, Plan, Tensor

PIXELS = CROP_PX * CROP_PX
MOST_GRAPHS = 64
"""Kept at once; a camera's ring of frame buffers times the batch sizes."""


@dataclass(frozen=True)
class TensorRt:
    """TensorRT, and the GPU that it works on."""

    device: Device
    target: Target
    board: str | None
    """Name of the board's profile."""


@cache
def open_tensorrt() -> TensorRt:
    """Find TensorRT and a GPU.

    Raises:
        InputError: TensorRT is not installed or of another age, or there is no GPU.
    """
    try:
        from sealshot.runtime.engines import tensorrt_api as api
    except (ImportError, OSError) as error:  # the package, or the libraries that it wraps
        raise InputError(
            f"TensorRT is not installed for this Python: {error}",
            hint="it comes with JetPack (make the venv with --system-site-packages); on a PC: "
            "pip install tensorrt",
        ) from error
    api.check_version()
    try:
        device = open_device()
    except DeviceError as error:
        raise InputError(error.fact, hint=error.hint) from error
    board = detect()
    release = board.jetpack or (f"L4T-{board.l4t}" if board.l4t else "")
    capability = f"{device.sm // 10}.{device.sm % 10}"
    return TensorRt(device, Target(api.VERSION, capability, device.name, release), board.board)


@contextmanager
def device_errors() -> Iterator[None]:
    """Turn what goes wrong on the GPU into an error of ours."""
    try:
        yield
    except DeviceError as error:
        raise SealshotError(
            error.fact, hint=error.hint or "check the board, or use --engine onnxruntime"
        ) from error


class PlanScorer:
    """A plan and the device memory that it works in: crops in, scores out, on one stream.

    A plan gives scores, or the Gaussians of the pixels; the likelihood of those is a kernel of
    ours, which reads them where TensorRT put them.
    """

    def __init__(self, plan: Plan, device: Device) -> None:
        """Allocate for the largest batch of the plan.

        Raises:
            InputError: the plan is of no score graph.
            DeviceError: the GPU has no memory left, or the kernel cannot be compiled.
        """
        takes = [(t.name, np.dtype(t.dtype), t.shape) for t in plan.inputs]
        gives = {t.name: t for t in plan.outputs}
        if takes != [("crops", np.dtype(np.uint8), (1, CROP_PX, CROP_PX))]:
            raise InputError(
                "the plan is of no score graph: it must take `crops` uint8 [n,1,64,64]",
                hint="build it from a file that `sealshot train` or `sealshot export` wrote",
            )
        self.batch: Batch = plan.batch
        self._plan = plan
        n = plan.batch.largest
        self.stream = Stream()
        self.crops = DeviceArray.empty((n, 1, CROP_PX, CROP_PX), np.uint8)
        self.scores = DeviceArray.empty((n,), np.float32)
        self._pixels: tuple[DeviceArray, ...] = ()
        if gives.keys() == {"mu", "log_var"} and _are_pixels(gives["mu"], gives["log_var"]):
            self._pixels = tuple(
                DeviceArray.empty((n, *gives[name].shape), gives[name].dtype)
                for name in ("mu", "log_var")
            )
            self._kernels = DeviceKernels(device, cache_folder() / "kernels")
            outputs = dict(zip(("mu", "log_var"), self._pixels, strict=True))
        elif [(np.dtype(t.dtype), t.shape) for t in plan.outputs] == [(np.dtype(np.float32), ())]:
            outputs = {plan.outputs[0].name: self.scores}
        else:
            raise InputError(
                f"the plan gives {', '.join(gives)}: neither one float32 score, nor `mu` and "
                f"`log_var` [n, L, {PIXELS}]",
                hint="build it from a file that `sealshot train` or `sealshot export` wrote",
            )
        self._addresses = {name: a.ptr for name, a in {"crops": self.crops, **outputs}.items()}
        self._contexts: dict[int, Context] = {}
        self._workspaces: dict[int, DeviceArray] = {}

    def size(self, faces: int) -> int:
        """Round up to a power of two within the plan's batches: few sizes serve all counts."""
        smallest, _, largest = self.batch
        return min(max(1 << (faces - 1).bit_length(), smallest), largest)

    def warm(self, n: int) -> None:
        """Run a size once: TensorRT allocates at its first run, which no recording may see."""
        if n not in self._contexts:
            self._contexts[n] = self._plan.context(n, self._addresses)
            if self._pixels:  # the layout of a workspace depends on the number of items
                samples = self._pixels[0].shape[1]
                self._workspaces[n] = self._kernels.rp_workspace(n, samples)
            self.enqueue(n)
            self.stream.synchronize()

    def enqueue(self, n: int) -> None:
        """Queue the scores of the first n of :attr:`crops` into :attr:`scores`.

        Args:
            n: a :meth:`size` that is :meth:`warm`.
        """
        self._contexts[n].enqueue(self.stream.handle)
        if self._pixels:
            mu, log_var = (a.view((n, *a.shape[1:])) for a in self._pixels)
            self._kernels.rp_likelihood(
                self.crops.view((n, PIXELS)),
                mu,
                log_var,
                self.scores.view((n,)),
                workspace=self._workspaces[n],
                stream=self.stream,
            )


def _are_pixels(mu: Tensor, log_var: Tensor) -> bool:
    same = mu.shape == log_var.shape and mu.dtype == log_var.dtype
    return same and len(mu.shape) == 2 and mu.shape[1] == PIXELS


class Recordings:
    """Work on a scorer's stream, recorded once for each key and then launched as one."""

    def __init__(self, scorer: PlanScorer, *, record: bool = True) -> None:
        """Record, or queue the work anew each time: not every engine can be recorded."""
        self._scorer, self._record = scorer, record
        self._graphs: dict[Hashable, Graph] = {}

    def launch(self, key: Hashable, n: int, enqueue: Callable[[], None]) -> None:
        """Do the work of a key and wait for it.

        Args:
            key: what the work depends on, addresses included.
            n: the size of the scorer's batch in it.
            enqueue: puts the work on the stream; called when the key is new.
        """
        self._scorer.warm(n)
        if not self._record:
            enqueue()
            self._scorer.stream.synchronize()
            return
        graph = self._graphs.get(key)
        if graph is None:
            with self._scorer.stream.capture() as graph:
                enqueue()
            if len(self._graphs) == MOST_GRAPHS:
                self._graphs.pop(next(iter(self._graphs))).close()
            self._graphs[key] = graph
        graph.launch(self._scorer.stream)
        self._scorer.stream.synchronize()

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._graphs)

    def close(self) -> None:
        """Give the graphs back."""
        while self._graphs:
            self._graphs.popitem()[1].close()


class TensorRtEngine(Engine):
    """A score graph as a TensorRT plan."""

    def __init__(self, model: Path) -> None:
        """Load the plan of a model and run it once.

        Args:
            model: ``NAME.onnx``, whose plan is looked for in the cache; or ``NAME.plan``. Each has
                its manifest ``NAME.json`` beside it.

        Raises:
            InputError: TensorRT is not usable here, or there is no plan that fits this machine; the
                hint says what to run.
        """
        tensorrt = open_tensorrt()
        from sealshot.runtime.engines import tensorrt_api as api

        if model.suffix == ".plan":
            plan, source = model, "MODEL.onnx"
        else:
            plan = find_plan(model, load_manifest(model), tensorrt.target)
            source = str(model)
        data = read_plan(plan, tensorrt.target, source)
        manifest = read_plan_manifest(plan)
        self.manifest = manifest.model
        with device_errors():
            tensorrt.device.use()
            loaded = api.Plan(data)
            if loaded.batch != manifest.batch:
                raise InputError(
                    f"{plan} takes batches of {loaded.batch}, its manifest says {manifest.batch}",
                    hint="build it again with `sealshot export --engine tensorrt`",
                )
            self.device, self.scorer = tensorrt.device, PlanScorer(loaded, tensorrt.device)
            n = manifest.batch.largest
            self._crops = PinnedArray((n, 1, CROP_PX, CROP_PX), np.uint8)
            self._scores = PinnedArray((n,), np.float32)
            # a DLA is driven outside of CUDA, and its work is in no CUDA graph
            self._recordings = Recordings(self.scorer, record=manifest.dla_core is None)
        where = "" if manifest.dla_core is None else f" with DLA core {manifest.dla_core}"
        self.description = (
            f"TensorRT {api.VERSION}, {tensorrt.device.name}{where}, {self.manifest.precision}"
        )
        self.score(np.zeros((1, 1, CROP_PX, CROP_PX), np.uint8))

    def score(self, crops: NDArray[np.uint8]) -> Floats:
        """See :meth:`Engine.score`. Copies in and out are part of one recorded launch.

        Raises:
            SealshotError: the GPU failed.
        """
        scores = np.empty(len(crops), np.float32)
        scorer, most = self.scorer, self.scorer.batch.largest
        with device_errors():
            self.device.use()  # crops may come from another thread than the one that opened it
            for i in range(0, len(crops), most):
                part = crops[i : i + most]
                n = scorer.size(len(part))
                self._crops.host[: len(part)] = part
                self._crops.host[len(part) : n] = 0
                self._recordings.launch(n, n, partial(self._enqueue, n))
                scores[i : i + most] = self._scores.host[: len(part)]
        return scores

    def _enqueue(self, n: int) -> None:
        scorer = self.scorer
        scorer.crops.view((n, 1, CROP_PX, CROP_PX)).set(self._crops.host[:n], scorer.stream)
        scorer.enqueue(n)
        scorer.scores.view((n,)).get(self._scores.host[:n], scorer.stream)
