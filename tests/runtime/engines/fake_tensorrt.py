"""A `tensorrt` that behaves as NVIDIA documents, with ONNX Runtime and the emulated driver inside.

It stands in for the library, which cannot be installed here, to test what we build around it. Names
and signatures are not its business: `test_tensorrt_bindings.py` checks those against the real ones.
What it insists on, because the documentation does: strongly typed networks, base classes that are
initialised, shapes inside the profile, addresses bound before a run, a run of a shape before its
capture, contexts left alone once they are in a graph, plans of its own version.
"""

from __future__ import annotations

import ctypes
import enum
import json
import time

import numpy as np
import onnxruntime as ort

from sealshot.kernels import driver

__version__ = "10.3.0"
DLA_CORES = 0
STEP_S = 0.0
BUILDS = []
"""What was built: the configurations, in order."""

float32, float16, int32, int8, uint8 = "float32", "float16", "int32", "int8", "uint8"
TYPES = {"tensor(float)": float32, "tensor(float16)": float16, "tensor(uint8)": uint8}
HOST_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Based:
    def __init__(self):
        self._initialised = True


class ILogger(_Based):
    class Severity(enum.Enum):
        INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class IProgressMonitor(_Based):
    pass


class NetworkDefinitionCreationFlag(enum.IntEnum):
    EXPLICIT_BATCH, STRONGLY_TYPED = range(2)


BuilderFlag = enum.Enum("BuilderFlag", "GPU_FALLBACK TF32")
DeviceType = enum.Enum("DeviceType", "GPU DLA")
MemoryPoolType = enum.Enum("MemoryPoolType", "WORKSPACE")
TensorIOMode = enum.Enum("TensorIOMode", "INPUT OUTPUT")
DataType = str


class Dims:
    def __init__(self, shape):
        self._shape = tuple(shape)

    def __len__(self):
        return len(self._shape)

    def __getitem__(self, index):
        return self._shape[index]


class IHostMemory(bytes):
    @property
    def nbytes(self):
        return len(self)


class _Tensor:
    def __init__(self, argument):
        self.name, self.dtype = argument.name, TYPES[argument.type]
        self.shape = Dims(-1 if isinstance(n, str) else n for n in argument.shape)


class _Network:
    session = None

    num_inputs = property(lambda self: len(self.session.get_inputs()))

    def get_input(self, index):
        return _Tensor(self.session.get_inputs()[index])


class ParserError:
    def __init__(self, text):
        self._text = text

    def desc(self):
        return self._text


class OnnxParser:
    def __init__(self, network, logger):
        self._network, self._errors = network, []

    num_errors = property(lambda self: len(self._errors))

    def get_error(self, index):
        return self._errors[index]

    def parse(self, model):
        try:
            self._network.session = ort.InferenceSession(model, _quiet())
            self._network.onnx = bytes(model)
        except Exception as error:
            self._errors.append(ParserError(str(error).splitlines()[0]))
        return not self._errors


class _TimingCache:
    def __init__(self, data):
        self.data = data

    def serialize(self):
        return IHostMemory(self.data)


class _Config:
    DLA_core = -1
    default_device_type = DeviceType.GPU
    progress_monitor = None

    def __init__(self):
        self.flags, self.limits = {BuilderFlag.TF32}, {}
        self.profiles, self.timings = [], None

    def add_optimization_profile(self, profile):
        self.profiles.append(profile)
        return 0

    def set_flag(self, flag):
        self.flags.add(flag)

    def clear_flag(self, flag):
        self.flags.discard(flag)

    def set_memory_pool_limit(self, pool, size):
        self.limits[pool] = size

    def create_timing_cache(self, data):
        return None if data == b"damaged" else _TimingCache(data)

    def set_timing_cache(self, cache, ignore_mismatch):
        if cache.data and not cache.data.startswith(b"timings"):
            return False
        self.timings = cache
        return True

    def get_timing_cache(self):
        return self.timings


class _Profile(dict):
    def set_shape(self, name, smallest, usual, largest):
        self[name] = [list(s) for s in (smallest, usual, largest)]


class Builder:
    def __init__(self, logger):
        assert logger._initialised
        self._log = logger

    @property
    def num_DLA_cores(self):  # noqa: N802
        return DLA_CORES

    def create_network(self, flags=0):
        assert flags & 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return _Network()

    def create_builder_config(self):
        return _Config()

    def create_optimization_profile(self):
        return _Profile()

    def build_serialized_network(self, network, config):
        BUILDS.append(config)
        monitor = config.progress_monitor
        assert monitor._initialised
        monitor.phase_start("Building", None, 2)
        for outer in range(2):
            monitor.phase_start("Timing", "Building", 5)
            for inner in range(5):
                time.sleep(STEP_S)
                if not monitor.step_complete("Timing", inner):
                    return None
            monitor.phase_finish("Timing")
            if not monitor.step_complete("Building", outer):
                return None
        monitor.phase_finish("Building")
        if network.onnx.endswith(b"unbuildable"):
            self._log.log(ILogger.Severity.ERROR, "no implementation for node 3\nmore")
            return None
        config.timings.data = b"timings" + config.timings.data[7:] + b"+1"
        head = {"version": __version__, "profile": config.profiles[0]}
        return IHostMemory(json.dumps(head).encode() + b"\n" + network.onnx)


class Runtime:
    def __init__(self, logger):
        assert logger._initialised
        self._log = logger

    def deserialize_cuda_engine(self, data):
        head, _, onnx = bytes(data).partition(b"\n")
        facts = json.loads(head)
        if facts["version"] != __version__:
            self._log.log(ILogger.Severity.ERROR, f"the plan is of version {facts['version']}")
            return None
        return _Engine(onnx, facts["profile"], self._log)


class _Engine:
    def __init__(self, onnx, profile, log):
        self.session, self.profile, self.log = ort.InferenceSession(onnx, _quiet()), profile, log
        self.given = [_Tensor(t) for t in self.session.get_inputs()]
        self.taken = [_Tensor(t) for t in self.session.get_outputs()]
        self.all = {t.name: t for t in (*self.given, *self.taken)}

    num_io_tensors = property(lambda self: len(self.all))

    def get_tensor_name(self, index):
        return list(self.all)[index]

    def get_tensor_dtype(self, name):
        return self.all[name].dtype

    def get_tensor_shape(self, name):
        return self.all[name].shape

    def get_tensor_mode(self, name):
        is_input = name in {t.name for t in self.given}
        return TensorIOMode.INPUT if is_input else TensorIOMode.OUTPUT

    def get_tensor_profile_shape(self, name, profile_index):
        return [Dims(shape) for shape in self.profile[name]]

    def create_execution_context(self):
        return _Context(self)


class _Context:
    def __init__(self, engine):
        self._engine, self._addresses, self._shapes = engine, {}, {}
        self._warm, self._queued = set(), []

    def _fail(self, text):
        self._engine.log.log(ILogger.Severity.ERROR, text)
        return False

    def set_tensor_address(self, name, memory):
        if name not in self._engine.all:
            return self._fail(f"there is no tensor {name}")
        self._addresses[name] = memory
        return True

    def set_input_shape(self, name, shape):
        smallest, _, largest = self._engine.profile[name]
        if not all(a <= n <= b for a, n, b in zip(smallest, shape, largest, strict=True)):
            return self._fail(f"{shape} is outside of the profile of {name}")
        self._shapes[name] = tuple(shape)
        return True

    def execute_async_v3(self, stream_handle):
        if self._addresses.keys() != self._engine.all.keys():
            return self._fail("a tensor has no address")
        shapes, addresses, ran = dict(self._shapes), dict(self._addresses), []

        def run(_):
            feeds = {
                t.name: _memory(addresses[t.name], shapes[t.name], t.dtype).copy()
                for t in self._engine.given
            }
            results = self._engine.session.run(None, feeds)
            if (self._shapes, self._addresses) != (shapes, addresses):
                results = [np.full_like(result, np.nan) for result in results]
            for tensor, result in zip(self._engine.taken, results, strict=True):
                _memory(addresses[tensor.name], result.shape, tensor.dtype)[...] = result
            ran.append(True)

        queued = HOST_FUNCTION(run)
        self._queued.append(queued)  # a graph may call it as long as this lives
        driver.call("cuLaunchHostFunc", ctypes.c_void_p(stream_handle), queued, None)
        key = tuple(shapes.values())
        if not ran and key not in self._warm:
            return self._fail(f"the shape {key} is captured before it was run")
        self._warm.add(key)
        return True


def _memory(address, shape, dtype):
    kind = np.dtype(dtype)
    nbytes = int(np.prod(shape)) * kind.itemsize
    return np.frombuffer((ctypes.c_char * nbytes).from_address(address), kind).reshape(shape)


def _quiet():
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return options
