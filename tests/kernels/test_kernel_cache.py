"""Compiling once: what the cache depends on, and what is said where it cannot be done."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sealshot.kernels import compiler
from sealshot.kernels.cache_folder import cache_folder
from sealshot.kernels.compiler import cubin, find_nvcc, source_hash
from sealshot.kernels.errors import DeviceError, NoCompilerError


def calls(nvcc: Path) -> list[str]:
    noted = nvcc.with_name("calls")
    return noted.read_text().splitlines() if noted.exists() else []


def test_a_kernel_is_compiled_once(fake_nvcc: Path) -> None:
    assert cubin("track_argmax", 87) == cubin("track_argmax", 87) == b"cubin\n"
    assert len(calls(fake_nvcc)) == 1
    assert "-arch=sm_87" in calls(fake_nvcc)[0]
    assert "-Werror all-warnings" in calls(fake_nvcc)[0]
    (file,) = cache_folder("kernels").iterdir()
    assert file.name == f"track_argmax-{source_hash('track_argmax')}-sm_87-13.0.0.cubin"


def test_another_gpu_source_flag_or_compiler_compiles_anew(
    fake_nvcc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cubin("track_argmax", 87)
    cubin("track_argmax", 90)
    fake_nvcc.write_text(fake_nvcc.read_text().replace("V13.0.0", "V13.1.5"))
    cubin("track_argmax", 87)
    sources = tmp_path / "sources"
    shutil.copytree(compiler.SOURCES, sources)
    monkeypatch.setattr(compiler, "SOURCES", sources)
    with (sources / "common.cuh").open("a") as header:
        header.write("// changed\n")
    cubin("track_argmax", 87)
    monkeypatch.setattr(compiler, "FLAGS", (*compiler.FLAGS, "-lineinfo"))
    cubin("track_argmax", 87)
    assert len(calls(fake_nvcc)) == len(list(cache_folder("kernels").iterdir())) == 5


def test_without_nvcc_what_was_compiled_elsewhere_serves(
    fake_nvcc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = cubin("track_argmax", 87)
    monkeypatch.setattr(compiler, "find_nvcc", lambda: None)
    assert cubin("track_argmax", 87) == image
    with pytest.raises(NoCompilerError, match="no nvcc") as raised:
        cubin("track_argmax", 90)
    assert str(cache_folder("kernels")) in raised.value.hint


def test_a_compiler_that_fails_is_quoted(fake_nvcc: Path) -> None:
    fake_nvcc.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo V13.0.1; exit; }\n'
        "echo \"nvcc fatal   : Unsupported gpu architecture 'sm_53'\" >&2; exit 1\n"
    )
    with pytest.raises(DeviceError, match="Unsupported gpu architecture 'sm_53'") as raised:
        cubin("track_argmax", 53)
    assert "13.0.1" in raised.value.hint
    assert not cache_folder("kernels").exists()


@pytest.mark.parametrize("script", ["exit 1", "echo hello", "exec /nonexistent"])
def test_an_nvcc_that_is_none_is_said(fake_nvcc: Path, script: str) -> None:
    fake_nvcc.write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(DeviceError, match="says no version"):
        cubin("track_argmax", 87)


def test_a_cache_that_cannot_be_written_costs_time_only(
    fake_nvcc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cubin("track_argmax", 87) == cubin("track_argmax", 87) == b"cubin\n"
    assert len(calls(fake_nvcc)) == 2


def test_nothing_half_written_stays(fake_nvcc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compiler.os, "fsync", full)
    assert cubin("track_argmax", 87) == b"cubin\n"
    assert list(cache_folder("kernels").iterdir()) == []


@pytest.mark.parametrize(
    ("value", "want"),
    [("", "home/.cache"), ("relative", "home/.cache"), ("/somewhere", "/somewhere")],
)
def test_where_the_cache_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, want: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_folder("kernels") == tmp_path / want / "sealshot" / "kernels"


def test_nvcc_comes_from_cuda_home_first(
    fake_nvcc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_nvcc() == fake_nvcc
    other = tmp_path / "bin" / "nvcc"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    assert find_nvcc() == fake_nvcc
    monkeypatch.delenv("CUDA_HOME")
    assert find_nvcc() == other


def test_every_source_is_a_kernel_of_its_name() -> None:
    assert sorted(path.stem for path in compiler.SOURCES.glob("*.cu")) == sorted(compiler.NAMES)


def test_the_sources_travel_in_the_package() -> None:
    text = (Path(compiler.__file__).resolve().parents[1] / "pyproject.toml").read_text()
    assert '"sealshot.kernels" = ["cuda/*.cu", "cuda/*.cuh"]' in text


def test_the_fake_speaks_as_nvcc_does(fake_nvcc: Path) -> None:
    real = shutil.which("nvcc")
    if real is None:
        pytest.skip("no nvcc")
    done = subprocess.run([real, "--version"], capture_output=True, text=True, check=True)
    assert compiler.nvcc_version(Path(real)) in done.stdout
