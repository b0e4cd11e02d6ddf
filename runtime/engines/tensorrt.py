"""TensorRT on an NVIDIA GPU: runs what `sealshot export --engine tensorrt` built on it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sealshot.boards import detect
from sealshot.kernels.device import DeviceKernels
from sealshot.kernels.driver import Device, Graph, Stream, open_device
from sealshot.kernels.errors import DeviceError
from sealshot.kernels.memory import DeviceArray, PinnedArray
from sealshot.runtime.crops import CROP_PX
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.engines.plans import (
    PLAN,
    Batch,
    Target,
    find_plan,
    read_plan,
    read_plan_manifest,
)
from sealshot.runtime.engines.runner import Arrays, Runner, Tensor
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import cache_folder

if TYPE_CHECKING:
    from sealshot.runtime.engines.tensorrt_api import Context, Plan
    from sealshot.runtime.engines.tensorrt_api import Tensor as PlanTensor

PIXELS = CROP_PX * CROP_PX
SCORE = Tensor("score", np.dtype(np.float32), (None,))
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


class DevicePlan:
    """A plan and the device memory that it works in, on one stream.

    A plan may give the Gaussians of the pixels instead of a score; the likelihood of those is a
    kernel of ours, which reads them where TensorRT put them. It gives :data:`SCORE` then.
    """

    def __init__(self, plan: Plan, device: Device) -> None:
        """Allocate for the largest batch of the plan.

        Raises:
            DeviceError: the GPU has no memory left, or the kernel cannot be compiled.
        """
        self.batch: Batch = plan.batch
        self._plan = plan
        self.stream = Stream()
        self.inputs = tuple(map(_tensor, plan.inputs))
        self.outputs = tuple(map(_tensor, plan.outputs))
        n = plan.batch.largest
        self.arrays = {
            t.name: DeviceArray.empty((n, *t.shape), t.dtype) for t in (*plan.inputs, *plan.outputs)
        }
        """What goes in and comes out, at the largest batch."""
        self._addresses = {name: array.ptr for name, array in self.arrays.items()}
        self._likelihood: _Likelihood | None = None
        if _gives_pixels(plan):
            self.arrays[SCORE.name] = DeviceArray.empty((n,), np.float32)
            self._likelihood = _Likelihood(self.arrays, device)
            self.outputs = (SCORE,)
        self._contexts: dict[int, Context] = {}

    def size(self, rows: int) -> int:
        """Round up to a power of two within the plan's batches: few sizes serve all counts."""
        smallest, _, largest = self.batch
        return min(max(1 << (rows - 1).bit_length(), smallest), largest)

    def warm(self, n: int) -> None:
        """Run a size once: TensorRT allocates at its first run, which no recording may see."""
        if n not in self._contexts:
            self._contexts[n] = self._plan.context(n, self._addresses)
            if self._likelihood:
                self._likelihood.allocate(n)
            self.enqueue(n)
            self.stream.synchronize()

    def enqueue(self, n: int) -> None:
        """Queue the graph on the first n rows of its :attr:`arrays`.

        Args:
            n: a :meth:`size` that is :meth:`warm`.
        """
        self._contexts[n].enqueue(self.stream.handle)
        if self._likelihood:
            self._likelihood.enqueue(n, self.stream)


class _Likelihood:
    """From `mu` and `log_var` of a plan to the score, where they are."""

    def __init__(self, arrays: Mapping[str, DeviceArray], device: Device) -> None:
        self._arrays = arrays
        self._kernels = DeviceKernels(device, cache_folder("kernels"))
        self._workspaces: dict[int, DeviceArray] = {}

    def allocate(self, n: int) -> None:
        """Make ready for n crops: the layout of a workspace depends on their number."""
        samples = self._arrays["mu"].shape[1]
        self._workspaces[n] = self._kernels.rp_workspace(n, samples)

    def enqueue(self, n: int, stream: Stream) -> None:
        """Queue the likelihood of the first n crops."""
        mu, log_var = (
            a.view((n, *a.shape[1:])) for a in (self._arrays["mu"], self._arrays["log_var"])
        )
        self._kernels.rp_likelihood(
            self._arrays["crops"].view((n, PIXELS)),
            mu,
            log_var,
            self._arrays[SCORE.name].view((n,)),
            workspace=self._workspaces[n],
            stream=stream,
        )


def _gives_pixels(plan: Plan) -> bool:
    """Whether a plan takes crops and gives the Gaussians of their pixels."""
    gives = {t.name: (np.dtype(t.dtype), t.shape) for t in plan.outputs}
    if [t.name for t in plan.inputs] != ["crops"] or gives.keys() != {"mu", "log_var"}:
        return False
    _, shape = gives["mu"]
    return gives["mu"] == gives["log_var"] and len(shape) == 2 and shape[1] == PIXELS


def _tensor(tensor: PlanTensor) -> Tensor:
    return Tensor(tensor.name, np.dtype(tensor.dtype), (None, *tensor.shape))


class Recordings:
    """Work on a plan's stream, recorded once for each key and then launched as one."""

    def __init__(self, plan: DevicePlan, *, record: bool = True) -> None:
        """Record, or queue the work anew each time: not every engine can be recorded."""
        self._plan, self._record = plan, record
        self._graphs: dict[Hashable, Graph] = {}

    def launch(self, key: Hashable, n: int, enqueue: Callable[[], None]) -> None:
        """Do the work of a key and wait for it.

        Args:
            key: what the work depends on, addresses included.
            n: the size of the plan's batch in it.
            enqueue: puts the work on the stream; called when the key is new.
        """
        self._plan.warm(n)
        if not self._record:
            enqueue()
            self._plan.stream.synchronize()
            return
        graph = self._graphs.get(key)
        if graph is None:
            with self._plan.stream.capture() as graph:
                enqueue()
            if len(self._graphs) == MOST_GRAPHS:
                self._graphs.pop(next(iter(self._graphs))).close()
            self._graphs[key] = graph
        graph.launch(self._plan.stream)
        self._plan.stream.synchronize()

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._graphs)

    def close(self) -> None:
        """Give the graphs back."""
        while self._graphs:
            self._graphs.popitem()[1].close()


class TensorRtRunner(Runner):
    """A graph as a TensorRT plan."""

    def __init__(self, model: Path) -> None:
        """Load the plan of a model.

        Args:
            model: ``NAME.onnx``, whose plan is looked for in the cache; or ``NAME.plan``. Each has
                its manifest ``NAME.json`` beside it.

        Raises:
            InputError: TensorRT is not usable here, or there is no plan that fits this machine; the
                hint says what to run.
            SealshotError: the GPU has no memory left.
        """
        tensorrt = open_tensorrt()
        from sealshot.runtime.engines import tensorrt_api as api

        if model.suffix == PLAN:
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
            self.device, self.plan = tensorrt.device, DevicePlan(loaded, tensorrt.device)
            self.inputs, self.outputs = self.plan.inputs, self.plan.outputs
            self.most = manifest.batch.largest
            self._host = {t.name: self._pinned(t) for t in (*self.inputs, *self.outputs)}
            # a DLA is driven outside of CUDA, and its work is in no CUDA graph
            self.recorded = manifest.dla_core is None
            self._recordings = Recordings(self.plan, record=self.recorded)
        where = "" if manifest.dla_core is None else f" with DLA core {manifest.dla_core}"
        self.description = f"TensorRT {api.VERSION}, {tensorrt.device.name}{where}"

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """See :meth:`Runner.run`. Copies in and out are part of one recorded launch."""
        (rows,) = {len(array) for array in inputs.values()}
        n = self.plan.size(rows)
        with device_errors():
            self.device.use()  # the call may come from another thread than the one that opened it
            for tensor in self.inputs:
                host = self._host[tensor.name].host
                host[:rows] = inputs[tensor.name]
                host[rows:n] = 0
            self._recordings.launch(n, n, partial(self._enqueue, n))
        return {t.name: self._host[t.name].host[:rows].copy() for t in self.outputs}

    def _pinned(self, tensor: Tensor) -> PinnedArray:
        device = self.plan.arrays[tensor.name]
        return PinnedArray(device.shape, tensor.dtype)

    def _enqueue(self, n: int) -> None:
        plan = self.plan
        for tensor in self.inputs:
            host = self._host[tensor.name].host
            plan.arrays[tensor.name].view((n, *host.shape[1:])).set(host[:n], plan.stream)
        plan.enqueue(n)
        for tensor in self.outputs:
            host = self._host[tensor.name].host
            plan.arrays[tensor.name].view((n, *host.shape[1:])).get(host[:n], plan.stream)
