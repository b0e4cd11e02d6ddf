"""From `cuda/*.cu` to a cubin for one GPU: nvcc once, then a cache.

A cubin's name holds all that it depends on: a hash of the sources and flags, the compute capability
and nvcc's version. Where there is no nvcc, one that was compiled elsewhere by any version serves.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from sealshot.kernels.cache_folder import cache_folder
from sealshot.kernels.errors import DeviceError, NoCompilerError

SOURCES = Path(__file__).parent / "cuda"
FLAGS = ("-O3", "-std=c++17", "-Werror", "all-warnings", "-Xptxas", "-v")
NAMES = ("rp_likelihood", "sample_latents", "crop_resize_grey", "track_argmax")
"""The sources, one kernel each."""


def find_nvcc() -> Path | None:
    """Return nvcc: from $CUDA_HOME, the search path, or where CUDA's installers put it."""
    home = os.environ.get("CUDA_HOME")
    places = [Path(home) / "bin" / "nvcc"] if home else []
    found = shutil.which("nvcc")
    places += [Path(found)] if found else []
    places.append(Path("/usr/local/cuda/bin/nvcc"))
    return next((path for path in places if os.access(path, os.X_OK)), None)


def nvcc_version(nvcc: Path) -> str:
    """Return nvcc's version, such as 13.0.88.

    Raises:
        DeviceError: it does not run.
    """
    try:
        done = subprocess.run([nvcc, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeviceError(f"{nvcc} does not run: {error}") from error
    found = re.search(r"\bV(\d+(?:\.\d+)+)", done.stdout)
    if done.returncode or not found:
        raise DeviceError(f"{nvcc} --version says no version", hint="set CUDA_HOME")
    return found[1]


def source_hash(name: str) -> str:
    """Return the hash of what a kernel is compiled from: its source, the header, the flags."""
    parts = [(SOURCES / file).read_bytes() for file in (f"{name}.cu", "common.cuh")]
    digest = hashlib.sha256()
    for part in (*parts, " ".join(FLAGS).encode()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:24]


def cubin(name: str, sm: int, cache: Path | None = None) -> bytes:
    """Return a kernel compiled for one compute capability, from the cache if it is there.

    Args:
        name: one of :data:`NAMES`.
        sm: compute capability times ten.
        cache: the folder of the cache; by default `kernels` in that of :func:`cache_folder`.

    Raises:
        NoCompilerError: there is no nvcc, and the cache has no such kernel.
        DeviceError: nvcc fails, or there is no folder for a cache.
    """
    cache = cache or cache_folder("kernels")
    stem = f"{name}-{source_hash(name)}-sm_{sm}"
    nvcc = find_nvcc()
    if nvcc is None:
        ready = sorted(cache.glob(f"{stem}-*.cubin"))
        if ready:
            return ready[-1].read_bytes()
        raise NoCompilerError(
            "the GPU kernels are not compiled yet, and there is no nvcc here",
            hint="install the CUDA toolkit (on a Jetson: apt install cuda-nvcc-*), set CUDA_HOME, "
            f"or copy {stem}-*.cubin into {cache} from a machine that has it",
        )
    path = cache / f"{stem}-{nvcc_version(nvcc)}.cubin"
    if path.is_file():
        return path.read_bytes()
    image, _ = build(nvcc, name, sm)
    with suppress(OSError):  # a read-only home costs time at the next start, and nothing else
        _store(path, image)
    return image


def build(nvcc: Path, name: str, sm: int) -> tuple[bytes, str]:
    """Compile a kernel; return the cubin and the assembler's report on registers and memory.

    Raises:
        DeviceError: nvcc fails; the error says how.
    """
    source = SOURCES / f"{name}.cu"
    with tempfile.TemporaryDirectory(prefix="sealshot-nvcc-") as folder:
        out = Path(folder) / "out.cubin"
        command = [str(nvcc), "-cubin", f"-arch=sm_{sm}", *FLAGS, "-o", str(out), str(source)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DeviceError(f"{nvcc} does not run: {error}") from error
        if done.returncode:
            raise DeviceError(
                f"nvcc cannot compile {source.name} for sm_{sm}: {_last(done.stderr)}",
                hint=f"its version is {nvcc_version(nvcc)}; it must know sm_{sm} and C++17",
            )
        return out.read_bytes(), done.stderr


def _store(path: Path, image: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        try:
            part.write(image)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if "error" in line or "fatal" in line]
    return lines[0] if lines else "it says nothing"
