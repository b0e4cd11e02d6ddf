"""Where the kernels are tested: on the CPU, on the host's emulation of a GPU, on a GPU."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from sealshot import kernels
from sealshot.kernels import compiler, cpu, driver, gpu

HERE = Path(__file__).parent / "emulation"
CXX_FLAGS = (
    *("-std=c++17", "-O1", "-g1", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"),
    *("-fPIC", "-shared", "-ffp-contract=off", "-fno-strict-aliasing"),
    *(f"-I{HERE}", f"-I{compiler.SOURCES}"),
)
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
FAKE_NVCC = """#!/bin/sh
[ "$1" = --version ] && { echo "release 13.0, V13.0.0"; exit; }
echo "$@" >> "$(dirname "$0")/calls"
while [ "$1" != -o ]; do shift; done
echo cubin > "$2"
"""


@pytest.fixture(scope="session")
def build_emulation(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Path]:
    """Compile the kernels for the host, with sanitizers or without."""

    def build(sanitize: bool) -> Path:
        cxx = shutil.which("g++")
        if cxx is None:
            if os.environ.get("CI"):
                pytest.fail("no g++")
            pytest.skip("no g++ to compile the kernels for the host")
        library = tmp_path_factory.mktemp("emulation") / "libcuda.so"
        flags = CXX_FLAGS + (SANITIZE if sanitize else ())
        command = [cxx, *flags, "-o", str(library), str(HERE / "libcuda.cpp")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return library

    return build


@pytest.fixture(scope="session")
def emulated_library(build_emulation: Callable[[bool], Path]) -> ctypes.CDLL:
    """The kernels compiled for the host, or what $EMULATION_LIBRARY names."""
    loaded = ctypes.CDLL(os.environ.get("EMULATION_LIBRARY") or str(build_emulation(False)))
    loaded.emulation_error.restype = ctypes.c_char_p
    return loaded


@pytest.fixture
def fake_nvcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An nvcc that notes its calls, and an empty cache."""
    nvcc = tmp_path / "cuda" / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True)
    nvcc.write_text(FAKE_NVCC)
    nvcc.chmod(0o755)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "cuda"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return nvcc


@pytest.fixture
def emulation(
    emulated_library: ctypes.CDLL, fake_nvcc: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ctypes.CDLL]:
    """The emulated driver in the place of CUDA's."""
    monkeypatch.setattr(driver, "_library", lambda: emulated_library)
    with _reopened():
        yield emulated_library
        emulated_library.emulation_order(0)
        emulated_library.emulation_barriers(1)
        emulated_library.emulation_devices(1)


@pytest.fixture
def real_gpu() -> Iterator[None]:
    """A real GPU; without one the test fails."""
    with _reopened():
        yield


@contextmanager
def _reopened() -> Iterator[None]:
    """What is opened once in a process is opened anew within, and after."""
    for opened in (gpu._opened, kernels.backend):
        opened.cache_clear()
    yield
    for opened in (gpu._opened, kernels.backend):
        opened.cache_clear()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a GPU, unless it is asked for."""
    if "gpu" not in (config.getoption("-m") or ""):
        wanted = [item for item in items if "gpu" not in item.keywords]
        config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
        items[:] = wanted


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what takes `device` or `functions` on each of them; on a GPU under `pytest -m gpu`."""
    places = ["emulation"]
    if "gpu" in (metafunc.config.getoption("-m") or ""):
        places = [pytest.param("gpu", marks=pytest.mark.gpu)]
    if "device" in metafunc.fixturenames:
        metafunc.parametrize("device", places, indirect=True)
    if "functions" in metafunc.fixturenames:
        metafunc.parametrize("functions", ["cpu", *places], indirect=True)


@pytest.fixture
def device(request: pytest.FixtureRequest) -> gpu.DeviceKernels:
    """The kernels on a device: the emulated one, or a real one."""
    request.getfixturevalue({"emulation": "emulation", "gpu": "real_gpu"}[request.param])
    return gpu.kernels()


@pytest.fixture
def functions(request: pytest.FixtureRequest) -> ModuleType:
    """The kernels in NumPy: on the CPU, on the emulated device, on a real one."""
    if request.param == "cpu":
        return cpu
    request.getfixturevalue({"emulation": "emulation", "gpu": "real_gpu"}[request.param])
    return gpu


@pytest.fixture
def any_order(emulation: ctypes.CDLL) -> Callable[[], Iterator[int]]:
    """Run a test's body with the threads of each block in several orders."""

    def orders() -> Iterator[int]:
        for order in (0, 1, 7, 8):
            emulation.emulation_order(order)
            yield order

    return orders
