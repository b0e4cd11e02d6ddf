"""The CUDA driver, called through ctypes: device, memory, streams, graphs, kernels.

The one module that touches a GPU. It works in the device's primary context, as TensorRT, PyTorch
and CuPy do, or in the context that is current when the device is opened, such as one that pycuda
made; so streams of those libraries, and arrays (`memory.py`), are used in place. It needs the
driver alone: no CUDA toolkit, no headers, nothing to build. (pycuda would serve all of it but CUDA
graphs, which its releases up to 2026.1 do not have, and is built against the toolkit's headers.)

Names follow the CUDA Driver API reference (https://docs.nvidia.com/cuda/cuda-driver-api/).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import byref, c_char_p, c_float, c_int, c_uint, c_ulonglong, c_void_p
from dataclasses import dataclass
from functools import cache
from typing import Any

from sealshot.kernels.errors import DeviceError, NoDeviceError

LIBRARY = "libcuda.so.1"

# CUdevice_attribute, CUfunction_attribute, flags
MULTIPROCESSORS, SM_MAJOR, SM_MINOR = 16, 75, 76
SHARED_BYTES, LOCAL_BYTES, REGISTERS = 1, 3, 4
NON_BLOCKING, THREAD_LOCAL = 1, 1


@cache
def _library() -> ctypes.CDLL:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise NoDeviceError(
            "there is no CUDA driver on this machine",
            hint=f"install NVIDIA's driver, or give the container access to it ({error})",
        ) from error


def call(name: str, *args: Any) -> None:
    """Call a function of the driver.

    Raises:
        DeviceError: it is missing or returned an error.
        NoDeviceError: there is no driver.
    """
    library = _library()
    try:
        function = getattr(library, name)
    except AttributeError:
        raise DeviceError(
            f"the CUDA driver is too old: it has no {name}", hint="update the driver or JetPack"
        ) from None
    status = function(*args)
    if status:
        text = c_char_p()
        known = library.cuGetErrorName(status, byref(text)) == 0 and text.value
        code = text.value.decode() if known and text.value else f"error {status}"
        if name == "cuInit":
            raise NoDeviceError(f"the CUDA driver finds no GPU ({code})", hint="see nvidia-smi")
        raise DeviceError(f"{name} failed: {code}", hint=_HINTS.get(code, ""))


_HINTS = {
    "CUDA_ERROR_OUT_OF_MEMORY": "other programs hold the GPU's memory, or too many faces at once",
    "CUDA_ERROR_NO_BINARY_FOR_GPU": "the kernel was compiled for another GPU: clear the cache",
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": "the driver's library and its kernel module differ",
}


@dataclass(frozen=True)
class Device:
    """A GPU whose context is current in the thread that opened it."""

    index: int
    name: str
    sm: int
    """Compute capability times ten: 87 is 8.7."""
    multiprocessors: int
    driver: str
    """The CUDA version that the driver supports."""
    context: int

    def use(self) -> None:
        """Make the context current in the calling thread, which may be another one."""
        call("cuCtxSetCurrent", c_void_p(self.context))

    def synchronize(self) -> None:
        """Wait until all work on the device is done."""
        call("cuCtxSynchronize")


def open_device(index: int = 0) -> Device:
    """Open a GPU.

    Raises:
        NoDeviceError: there is no driver, or no such GPU.
    """
    call("cuInit", 0)
    count, device, text = c_int(), c_int(), ctypes.create_string_buffer(256)
    call("cuDeviceGetCount", byref(count))
    if not 0 <= index < count.value:
        raise NoDeviceError(
            f"there is no GPU number {index}: the CUDA driver finds {count.value}",
            hint="see nvidia-smi and CUDA_VISIBLE_DEVICES",
        )
    context, version, current = c_void_p(), c_int(), c_int()
    call("cuDeviceGet", byref(device), index)
    call("cuCtxGetCurrent", byref(context))
    if context.value:
        call("cuCtxGetDevice", byref(current))
    if not context.value or current.value != device.value:
        call("cuDevicePrimaryCtxRetain", byref(context), device)
        call("cuCtxSetCurrent", context)
    call("cuDeviceGetName", text, len(text), device)
    call("cuDriverGetVersion", byref(version))
    major, minor, multiprocessors = (
        _attribute("cuDeviceGetAttribute", which, device)
        for which in (SM_MAJOR, SM_MINOR, MULTIPROCESSORS)
    )
    return Device(
        index=index,
        name=text.value.decode(),
        sm=10 * major + minor,
        multiprocessors=multiprocessors,
        driver=f"{version.value // 1000}.{version.value % 1000 // 10}",
        context=context.value or 0,
    )


def _attribute(function: str, which: int, of: Any) -> int:
    value = c_int()
    call(function, byref(value), which, of)
    return value.value


class Stream:
    """Work that the device does in order."""

    def __init__(self) -> None:
        handle = c_void_p()
        call("cuStreamCreate", byref(handle), NON_BLOCKING)
        self.handle = handle.value or 0

    def synchronize(self) -> None:
        """Wait until the work is done."""
        call("cuStreamSynchronize", c_void_p(self.handle))

    @contextmanager
    def capture(self) -> Iterator[Graph]:
        """Record what the block puts on this stream, instead of doing it, into a graph.

        The block must not allocate device memory, nor wait for the stream.
        """
        graph = Graph()
        call("cuStreamBeginCapture_v2", c_void_p(self.handle), THREAD_LOCAL)
        recorded = c_void_p()
        try:
            yield graph
        except BaseException:
            _library().cuStreamEndCapture(c_void_p(self.handle), byref(recorded))
            if recorded.value:
                _library().cuGraphDestroy(recorded)
            raise
        call("cuStreamEndCapture", c_void_p(self.handle), byref(recorded))
        try:
            graph.instantiate(recorded)
        finally:
            call("cuGraphDestroy", recorded)

    def close(self) -> None:
        """Give the stream back."""
        handle, self.handle = self.handle, 0
        if handle:
            call("cuStreamDestroy_v2", c_void_p(handle))


class Graph:
    """Recorded work, launched as one; see :meth:`Stream.capture`."""

    def __init__(self) -> None:
        self._executable = c_void_p()

    def instantiate(self, recorded: c_void_p) -> None:
        """Make the recording ready to launch."""
        call("cuGraphInstantiateWithFlags", byref(self._executable), recorded, c_ulonglong(0))

    def launch(self, stream: Stream) -> None:
        """Do the work on a stream."""
        call("cuGraphLaunch", self._executable, c_void_p(stream.handle))

    def close(self) -> None:
        """Give the graph back."""
        executable, self._executable = self._executable, c_void_p()
        if executable.value:
            call("cuGraphExecDestroy", executable)


class Event:
    """A moment on a stream."""

    def __init__(self) -> None:
        self._handle = c_void_p()
        call("cuEventCreate", byref(self._handle), 0)

    def record(self, stream: Stream) -> None:
        """Mark the moment when the work put on the stream so far is done."""
        call("cuEventRecord", self._handle, c_void_p(stream.handle))

    def ms_since(self, earlier: Event) -> float:
        """Wait for this moment; return the milliseconds from an earlier one to it."""
        value = c_float()
        call("cuEventSynchronize", self._handle)
        call("cuEventElapsedTime", byref(value), earlier._handle, self._handle)
        return value.value

    def close(self) -> None:
        """Give the event back."""
        handle, self._handle = self._handle, c_void_p()
        if handle.value:
            call("cuEventDestroy_v2", handle)


class Module:
    """Compiled kernels, loaded onto the device; they stay until the process ends."""

    def __init__(self, image: bytes) -> None:
        """Load a cubin.

        Raises:
            DeviceError: it is damaged, or for another GPU.
        """
        self._handle = c_void_p()
        call("cuModuleLoadData", byref(self._handle), image)

    def kernel(self, name: str) -> Kernel:
        """Find a kernel by its name."""
        function = c_void_p()
        call("cuModuleGetFunction", byref(function), self._handle, name.encode())
        return Kernel(name, function)


class Kernel:
    """A function of the device."""

    def __init__(self, name: str, function: c_void_p) -> None:
        self.name, self._function = name, function
        self.registers, self.local_bytes, self.shared_bytes = (
            _attribute("cuFuncGetAttribute", which, function)
            for which in (REGISTERS, LOCAL_BYTES, SHARED_BYTES)
        )

    def launch(self, blocks: int, threads: int, args: Sequence[Any], stream: object) -> None:
        """Queue the kernel on a stream.

        Args:
            blocks: in the grid, along x; 0 does nothing.
            threads: in a block, along x.
            args: ctypes values, in the kernel's order.
            stream: a :class:`Stream`, one of another library, its handle, or None for the default.
        """
        if not blocks:
            return
        pointers = (c_void_p * len(args))(*(ctypes.addressof(a) for a in args))
        shape = tuple(map(c_uint, (blocks, 1, 1, threads, 1, 1, 0)))
        call("cuLaunchKernel", self._function, *shape, stream_handle(stream), pointers, None)


def stream_handle(stream: object) -> c_void_p:
    """Return the handle of a stream, be it ours, another library's, or a plain integer."""
    if stream is None or isinstance(stream, int):
        return c_void_p(stream or 0)
    for name in ("handle", "cuda_stream", "ptr"):  # ours and pycuda's, PyTorch's, CuPy's
        if hasattr(stream, name):
            return c_void_p(int(getattr(stream, name)))
    raise TypeError(f"{type(stream).__name__} is no stream")
