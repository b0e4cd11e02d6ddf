"""Every call to TensorRT, 10.3 to 11. No other module imports it.

TensorRT 11 took away the precision flags and the calibrators, so none is used: the network is
strongly typed, and precision is what the ONNX graph says (float16 tensors, explicit Q and DQ).
Names and signatures are checked in the tests against the published bindings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import tensorrt as trt
from numpy.typing import DTypeLike

from sealshot.runtime.engines.plans import Batch
from sealshot.runtime.errors import InputError, SealshotError

VERSION: str = trt.__version__
OLDEST, NEWEST = (10, 3), 11

_DTYPES: dict[trt.DataType, DTypeLike] = {
    trt.float32: np.float32,
    trt.float16: np.float16,
    trt.int32: np.int32,
    trt.int8: np.int8,
    trt.uint8: np.uint8,
}


def check_version() -> None:
    """Refuse a TensorRT that this module was not written for.

    Raises:
        InputError: it is older than 10.3 or newer than 11.
    """
    major, minor = (int(part) for part in VERSION.split(".")[:2])
    if (major, minor) < OLDEST or major > NEWEST:
        raise InputError(
            f"TensorRT {VERSION} is not between 10.3 and 11",
            hint="use the TensorRT of JetPack 6.1 or later, or --engine onnxruntime",
        )


class _Log(trt.ILogger):  # type: ignore[misc, unused-ignore]
    """Keeps what TensorRT says went wrong, for the error that a person reads."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.errors: list[str] = []

    def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
        """Take a message; TensorRT calls this from its own threads, and it must not raise."""
        if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
            self.errors.append(msg.strip())

    def reason(self) -> str:
        """Return the first error: the ones after it follow from it."""
        return self.errors[0].splitlines()[0] if self.errors else "TensorRT does not say why"


class Monitor(trt.IProgressMonitor):  # type: ignore[misc, unused-ignore]
    """Passes the progress of a build on. TensorRT calls it from its own threads."""

    def __init__(
        self,
        started: Callable[[str, str | None, int], None],
        stepped: Callable[[str, int], None],
        finished: Callable[[str], None],
        go_on: Callable[[], bool],
    ) -> None:
        trt.IProgressMonitor.__init__(self)
        self._started, self._stepped, self._finished = started, stepped, finished
        self.go_on = go_on

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
        """See the base class."""
        self._started(phase_name, parent_phase, num_steps)

    def step_complete(self, phase_name: str, step: int) -> bool:
        """See the base class; False ends the build."""
        self._stepped(phase_name, step)
        return self.go_on()

    def phase_finish(self, phase_name: str) -> None:
        """See the base class."""
        self._finished(phase_name)


@dataclass(frozen=True)
class BuildOptions:
    """How a plan is built."""

    batch: Batch
    dla_core: int | None = None
    workspace_bytes: int | None = None
    """Scratch memory that a layer may take; None lets TensorRT take all there is."""


def build_plan(
    onnx: bytes, options: BuildOptions, timing_cache: bytes, monitor: Monitor
) -> tuple[bytes, bytes] | None:
    """Build a plan. Takes seconds to many minutes, and blocks.

    Args:
        onnx: the graph; its first axis is the batch.
        options: how.
        timing_cache: of an earlier build on this machine, or empty.
        monitor: told of progress, and asked whether to go on.

    Returns:
        The plan and the timing cache after it; None where the monitor ended the build.

    Raises:
        InputError: TensorRT cannot read the graph, or there is no such DLA core.
        SealshotError: the build failed.
    """
    log = _Log()
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(onnx):
        faults = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        raise InputError(
            f"TensorRT cannot read the graph: {faults[0] if faults else log.reason()}",
            hint="export the model again with `sealshot export`",
        )
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    for i in range(network.num_inputs):
        tensor = network.get_input(i)
        rest = tensor.shape[1:]
        profile.set_shape(tensor.name, *(trt.Dims([n, *rest]) for n in options.batch))
    config.add_optimization_profile(profile)
    config.progress_monitor = monitor
    config.clear_flag(trt.BuilderFlag.TF32)  # fp32 is fp32: who wants speed takes fp16
    if options.workspace_bytes is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    if options.dla_core is not None:
        if not 0 <= options.dla_core < builder.num_DLA_cores:
            raise InputError(
                f"there is no DLA core {options.dla_core}: TensorRT {VERSION} sees "
                f"{builder.num_DLA_cores} on this board",
                hint="leave --dla out to build for the GPU",
            )
        config.default_device_type = trt.DeviceType.DLA
        config.DLA_core = options.dla_core
        config.set_flag(trt.BuilderFlag.GPU_FALLBACK)  # input cast and likelihood are no DLA layers
    for known in (timing_cache, b""):  # a damaged one, or of another machine: measure afresh
        timings = config.create_timing_cache(known)
        if timings is not None and config.set_timing_cache(timings, ignore_mismatch=False):
            break
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        if not monitor.go_on():
            return None
        raise SealshotError(
            f"TensorRT could not build the plan: {log.reason()}",
            hint="close what else uses the GPU's memory, and build again",
        )
    measured = config.get_timing_cache()
    return bytes(plan), bytes(measured.serialize()) if measured is not None else b""


@dataclass(frozen=True)
class Tensor:
    """An input or output of a plan."""

    name: str
    dtype: DTypeLike
    shape: tuple[int, ...]
    """Without the batch."""
    is_input: bool


class Plan:
    """A plan, loaded. A CUDA context must be current when it is made and run."""

    def __init__(self, data: bytes) -> None:
        """Load a plan that :func:`build_plan` gave.

        Raises:
            InputError: TensorRT refuses it.
        """
        self._log = _Log()
        self._runtime = trt.Runtime(self._log)  # must outlive the engine
        engine = self._runtime.deserialize_cuda_engine(data)
        if engine is None:
            raise InputError(
                f"TensorRT {VERSION} cannot load the plan: {self._log.reason()}",
                hint="build it again on this machine with `sealshot export --engine tensorrt`",
            )
        self._engine = engine
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        tensors = tuple(
            Tensor(
                name=name,
                dtype=_DTYPES[engine.get_tensor_dtype(name)],
                shape=engine.get_tensor_shape(name)[1:],
                is_input=engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT,
            )
            for name in names
        )
        self.inputs = tuple(t for t in tensors if t.is_input)
        self.outputs = tuple(t for t in tensors if not t.is_input)
        shapes = engine.get_tensor_profile_shape(self.inputs[0].name, 0)
        self.batch = Batch(*(int(shape[0]) for shape in shapes))

    def context(self, n: int, addresses: Mapping[str, int]) -> Context:
        """Make ready to run batches of one size on fixed memory.

        A CUDA graph is bound to the state of the context that it was recorded from, so a context
        is never changed: each size has its own.

        Args:
            n: crops at once, between the smallest and the largest of the profile.
            addresses: where in device memory each tensor lies.

        Raises:
            SealshotError: TensorRT refuses, or has no memory left.
        """
        context = self._engine.create_execution_context()
        if context is None:
            raise _failed(self._log)
        done = [context.set_input_shape(t.name, (n, *t.shape)) for t in self.inputs]
        done += [context.set_tensor_address(name, at) for name, at in addresses.items()]
        if not all(done):
            raise _failed(self._log)
        return Context(context, self._log)


class Context:
    """A plan at one batch size."""

    def __init__(self, context: trt.IExecutionContext, log: _Log) -> None:
        self._context, self._log = context, log

    def enqueue(self, stream: int) -> None:
        """Run on a CUDA stream, without waiting for the end.

        Raises:
            SealshotError: TensorRT failed.
        """
        if not self._context.execute_async_v3(stream):
            raise _failed(self._log)


def _failed(log: _Log) -> SealshotError:
    return SealshotError(
        f"TensorRT failed: {log.reason()}",
        hint="check the board with `sealshot board check`, or use --engine onnxruntime",
    )
