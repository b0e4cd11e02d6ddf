"""Our calls to TensorRT, checked against the names and signatures of its published bindings."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sealshot.runtime

HERE = Path(__file__).parent / "tensorrt_bindings"
RELEASES = sorted(path.parent.name for path in HERE.glob("*/tensorrt.pyi"))
API = Path(sealshot.runtime.__file__).parent / "engines" / "tensorrt_api.py"


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    """Return a function that checks the types of a source against a release of TensorRT."""
    pytest.importorskip("mypy", reason="mypy is not installed: nothing here checks types")
    folder = tmp_path_factory.mktemp("types")
    for name in ("runtime", "kernels", "boards"):
        package = folder / "sealshot" / name
        package.parent.mkdir(exist_ok=True)
        package.symlink_to(API.parents[2] / name, target_is_directory=True)
    (folder / "sealshot" / "__init__.py").touch()

    def run(release, source):
        target = folder / "calls.py"
        target.write_text(source)
        stub = folder / release
        stub.mkdir(exist_ok=True)
        shutil.copy(HERE / release / "tensorrt.pyi", stub)
        # code that mypy takes for unreachable it does not check
        options = [
            "--strict",
            "--warn-unreachable",
            "--follow-imports=silent",
            f"--cache-dir={stub / 'cache'}",
        ]
        return subprocess.run(
            [sys.executable, "-m", "mypy", *options, str(target), str(stub / "tensorrt.pyi")],
            env={"MYPYPATH": f"{folder}:{stub}", "PATH": ""},
            cwd=folder,
            capture_output=True,
            text=True,
        )

    return run


def test_the_oldest_and_the_newest_release_are_checked():
    assert {r.split(".")[0] for r in RELEASES} == {"10", "11"}
    assert "10.3.0" in RELEASES  # JetPack 6.1 and 6.2


@pytest.mark.parametrize("release", RELEASES)
def test_every_call_is_in_the_bindings(check, release):
    done = check(release, API.read_text())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("builder.build_serialized_network(", "builder.build_engine("),
        ("trt.MemoryPoolType.WORKSPACE", "trt.MemoryPoolType.SCRATCH"),
        ("execute_async_v3(stream)", "execute_async_v2(stream)"),
        ("set_tensor_address(name, at)", "set_tensor_address(at, name)"),
        ("profile.set_shape(tensor.name, *(", "profile.set_shape(tensor.name, None, *("),
        ("config.progress_monitor = monitor", "config.progress_monitor = log"),
        ("step: int) -> bool", "step: str) -> bool"),
    ],
)
def test_a_wrong_call_is_found(check, right, wrong):
    source = API.read_text()
    assert right in source
    done = check(RELEASES[-1], source.replace(right, wrong))
    assert done.returncode == 1
    assert "calls.py" in done.stdout


@pytest.mark.parametrize("release", RELEASES)
def test_the_precision_flags_went_with_release_11(check, release):
    done = check(release, "import tensorrt as trt\n\nflag = trt.BuilderFlag.INT8\n")
    assert (done.returncode == 0) == release.startswith("10.")


def test_only_one_module_imports_tensorrt():
    folders = ("runtime", "kernels", "boards", "export", "benchmarks")
    sources = [p for folder in folders for p in (API.parents[2] / folder).rglob("*.py")]
    assert [p for p in sources if "import tensorrt as" in p.read_text()] == [API]
