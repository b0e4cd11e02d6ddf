"""The driver layer: no GPU, graphs, arrays of other libraries, and what it refuses."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from sealshot import kernels
from sealshot.kernels import cpu, driver, gpu
from sealshot.kernels.device import DeviceKernels
from sealshot.kernels.driver import Event, Stream, open_device
from sealshot.kernels.errors import DeviceError, NoCompilerError, NoDeviceError
from sealshot.kernels.memory import DeviceArray, PinnedArray


def missing_library() -> ctypes.CDLL:
    raise NoDeviceError("there is no CUDA driver on this machine")


def test_no_driver_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    driver._library.cache_clear()
    monkeypatch.setattr(driver, "LIBRARY", "libcuda-that-is-not-there.so.1")
    with pytest.raises(NoDeviceError, match="no CUDA driver") as raised:
        open_device()
    assert "libcuda-that-is-not-there" in raised.value.hint
    driver._library.cache_clear()


def test_no_gpu_is_said(emulation: ctypes.CDLL) -> None:
    emulation.emulation_devices(0)
    with pytest.raises(NoDeviceError, match="CUDA_ERROR_NO_DEVICE"):
        open_device()


@pytest.mark.parametrize("index", [-1, 1])
def test_no_such_gpu_is_said(emulation: ctypes.CDLL, index: int) -> None:
    with pytest.raises(NoDeviceError, match=f"number {index}: the CUDA driver finds 1"):
        open_device(index)


def test_an_old_driver_is_said(emulation: ctypes.CDLL) -> None:
    with pytest.raises(DeviceError, match="too old: it has no cuFunctionOfTomorrow"):
        driver.call("cuFunctionOfTomorrow")


def test_a_failed_call_names_itself_and_the_error(emulation: ctypes.CDLL) -> None:
    with pytest.raises(DeviceError, match="cuMemAlloc_v2 failed: CUDA_ERROR_OUT_OF_MEMORY") as e:
        DeviceArray.empty((2**62,), np.uint8)
    assert "memory" in e.value.hint


def test_the_device_is_described(emulation: ctypes.CDLL) -> None:
    device = open_device()
    assert (device.name, device.sm, device.multiprocessors, device.driver) == (
        "emulated on the host",
        87,
        2,
        "13.0",
    )
    device.use()
    device.synchronize()


def test_without_a_gpu_the_cpu_computes_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_library", missing_library)
    kernels.backend.cache_clear()
    gpu._opened.cache_clear()
    try:
        assert kernels.backend().functions is cpu
        assert kernels.backend().description == "the CPU: there is no CUDA driver on this machine"
        assert kernels.rp_likelihood(*likelihood_inputs()).shape == (2,)
    finally:
        kernels.backend.cache_clear()


def test_with_a_gpu_it_is_used(emulation: ctypes.CDLL) -> None:
    assert kernels.backend().functions is gpu
    assert kernels.backend().description == "emulated on the host, sm_87, CUDA 13.0"
    want = cpu.rp_likelihood(*likelihood_inputs())
    assert np.allclose(kernels.rp_likelihood(*likelihood_inputs()), want, rtol=1e-6)


def test_a_gpu_without_a_compiler_leaves_the_cpu(
    emulation: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealshot.kernels.compiler.find_nvcc", lambda: None)
    assert kernels.backend().functions is cpu
    assert "no nvcc" in kernels.backend().description
    with pytest.raises(NoCompilerError):
        DeviceKernels()


def test_all_functions_are_on_both_sides() -> None:
    names = set(kernels.__all__) - {"Backend", "backend"}
    assert names == set(cpu.__all__) == set(gpu.__all__)


def likelihood_inputs() -> tuple[Any, Any, Any]:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (2, 64), np.uint8)
    mu, log_var = random.random((2, 2, 3, 64), np.float32)
    return x, mu, log_var


def test_a_graph_replays_on_new_data(device: DeviceKernels) -> None:
    x, mu, log_var = likelihood_inputs()
    stream = Stream()
    arrays = [DeviceArray.of(a) for a in (x, mu, log_var)]
    out, workspace = DeviceArray.zeros((2,), np.float32), device.rp_workspace(2, 3)
    pinned = PinnedArray((2,), np.float32)
    with stream.capture() as graph:
        device.rp_likelihood(*arrays, out, workspace=workspace, stream=stream)
        out.get(pinned.host, stream)
    assert not out.get().any()  # recorded, not done
    for pixels in (x, 255 - x):
        arrays[0].set(pixels)
        graph.launch(stream)
        stream.synchronize()
        assert np.allclose(pinned.host, cpu.rp_likelihood(pixels, mu, log_var), rtol=1e-6)
    graph.close()
    pinned.close()
    stream.close()


def test_a_capture_that_fails_leaves_the_stream_usable(device: DeviceKernels) -> None:
    stream = Stream()
    with pytest.raises(DeviceError, match="cuMemAlloc_v2"), stream.capture():
        DeviceArray.zeros((4,), np.float32)
    array = DeviceArray.zeros((4,), np.float32)
    array.set(np.ones(4, np.float32), stream)
    stream.synchronize()
    assert array.get().tolist() == [1, 1, 1, 1]
    stream.close()


def test_events_measure_time(device: DeviceKernels) -> None:
    stream, before, after = Stream(), Event(), Event()
    before.record(stream)
    array = DeviceArray.zeros((1 << 20,), np.uint8)
    array.set(np.ones(1 << 20, np.uint8), stream)
    after.record(stream)
    assert after.ms_since(before) > 0
    for thing in (before, after, stream):
        thing.close()


def test_copies_on_the_device(device: DeviceKernels) -> None:
    stream = Stream()
    values = np.arange(12, dtype=np.int32).reshape(3, 4)
    source, target = DeviceArray.of(values), DeviceArray.zeros((12,), np.int32)
    target.copy_from(source, stream)
    stream.synchronize()
    assert (target.get() == values.ravel()).all()
    with pytest.raises(ValueError, match="do not fit"):
        target.copy_from(source.view((2, 4)), stream)


@dataclass
class Foreign:
    """An array of another library."""

    __cuda_array_interface__: dict[str, Any]


def foreign(array: DeviceArray, **changes: Any) -> Foreign:
    facts = array.__cuda_array_interface__ | changes
    return Foreign(facts)


def test_arrays_of_other_libraries_are_used_in_place(device: DeviceKernels) -> None:
    x, mu, log_var = likelihood_inputs()
    ours = [DeviceArray.of(a) for a in (x, mu, log_var)]
    theirs = [foreign(a) for a in ours]
    theirs[0] = foreign(ours[0], strides=(64, 1))
    out = DeviceArray.empty((2,), np.float32)
    device.rp_likelihood(*theirs, foreign(out))
    assert np.allclose(out.get(), cpu.rp_likelihood(x, mu, log_var), rtol=1e-6)


@pytest.mark.parametrize(
    ("array", "error", "match"),
    [
        (np.zeros(3), TypeError, "no array in device memory"),
        (
            Foreign({"typestr": "<f4", "shape": (2, 3), "data": (256, False), "strides": (24, 4)}),
            ValueError,
            "gaps",
        ),
        (
            Foreign({"typestr": "<f4", "shape": (2, 3), "data": (256, False), "strides": (4, 8)}),
            ValueError,
            "gaps",
        ),
    ],
)
def test_what_is_no_array_is_refused(array: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        DeviceArray.wrap(array)


def test_an_array_between_two_elements_is_refused(device: DeviceKernels) -> None:
    arrays: list[Any] = [DeviceArray.of(a) for a in likelihood_inputs()]
    moved = DeviceArray(arrays[1].ptr + 2, (2, 3, 60), np.float32)
    with pytest.raises(ValueError, match="multiple of its item size"):
        device.rp_likelihood(
            DeviceArray.empty((2, 60), np.uint8), moved, moved, DeviceArray.empty((2,), np.float32)
        )


@pytest.mark.parametrize(
    ("shape", "offset", "fits"),
    [((4,), 0, True), ((2, 2), 2, True), ((7,), 0, False), ((2,), 5, False), ((2,), -1, False)],
)
def test_views_stay_within(
    device: DeviceKernels, shape: tuple[int, ...], offset: int, fits: bool
) -> None:
    array = DeviceArray.of(np.arange(6, dtype=np.int16))
    if fits:
        count = int(np.prod(shape))
        assert array.view(shape, offset).get().ravel().tolist() == [*range(offset, offset + count)]
    else:
        with pytest.raises(ValueError, match="not within"):
            array.view(shape, offset)


def test_copies_that_do_not_fit_are_refused(device: DeviceKernels) -> None:
    array, stream = DeviceArray.zeros((2, 3), np.float32), Stream()
    for values in (np.zeros((3, 2), np.float32), np.zeros((2, 3))):
        with pytest.raises(ValueError, match="does not fit"):
            array.set(values)
        with pytest.raises(ValueError, match="cannot take"):
            array.get(values)
    with pytest.raises(ValueError, match="C-contiguous"):
        array.set(np.zeros((3, 2), np.float32).T, stream)
    array.set(np.arange(6, dtype=np.float32).reshape(3, 2).T)
    assert array.get().tolist() == [[0, 2, 4], [1, 3, 5]]


@dataclass
class Torch:
    cuda_stream: int = 5


@dataclass
class Cupy:
    ptr: int = 6


@dataclass
class Pycuda:
    handle: int = 7


@pytest.mark.parametrize(
    ("stream", "handle"),
    [(None, None), (0, None), (3, 3), (Torch(), 5), (Cupy(), 6), (Pycuda(), 7)],
)
def test_streams_of_other_libraries(stream: object, handle: int | None) -> None:
    assert driver.stream_handle(stream).value == handle


def test_what_is_no_stream_is_refused() -> None:
    with pytest.raises(TypeError, match="str is no stream"):
        driver.stream_handle("stream")


def test_empty_arrays_need_no_memory(device: DeviceKernels) -> None:
    array = DeviceArray.zeros((0, 4), np.float32)
    array.set(np.zeros((0, 4), np.float32))
    assert array.ptr == 0
    assert array.get().shape == (0, 4)
    array.close()
