"""`sealshot show-env`: what a bug report needs."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import onnxruntime as ort

from sealshot import __version__
from sealshot.boards import detect
from sealshot.kernels.driver import open_device
from sealshot.kernels.errors import DeviceError
from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.terminal import say_json, table
from sealshot.runtime.engines import survey
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.engines.plans import count_plans, plans_folder
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.processors import processors
from sealshot.runtime.weights import SCORES, score_graph

USAGE = """
usage: sealshot show-env [--json]

Print the versions, the devices, the models, and which engines and precisions are usable here or
why not.

example:
  sealshot show-env
"""

PACKAGES = (
    "numpy",
    "onnxruntime",
    "av",
    "opencv-python-headless",
    "opencv-python",
    "cryptography",
    "scipy",
    "rich",
    "torch",
    "onnx",
    "matplotlib",
    "tensorrt",
    "openvino",
)


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("show-env", USAGE)
    arguments.add_argument("--json", action="store_true")
    facts = collect()
    if arguments.parse_args(argv).json:
        say_json(facts)
    else:
        table(("what", "value"), facts.items())
    return 0


def collect() -> dict[str, str]:
    """Return the facts, by name."""
    facts = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor(),
        "processors": f"{processors()} of {os.cpu_count()}",
    }
    facts |= {"sealshot": __version__} | {name: _version(name) for name in PACKAGES}
    facts["onnxruntime providers"] = ", ".join(ort.get_available_providers())
    facts |= _devices()
    facts |= {f"score {name}": _model(name) for name in SCORES}
    facts["plans of TensorRT"] = _plans()
    facts |= {
        f"{score} on {engine}, {precision}": (
            f"not usable: {opened.fact}"
            if isinstance(opened, SealshotError)
            else f"usable: {opened.description}"
        )
        for score in SCORES
        for engine, precision, opened in survey(score_graph(score))
    }
    return facts


def _devices() -> dict[str, str]:
    """Say which board this is, and which GPU the CUDA driver finds."""
    board = detect()
    try:
        gpu = open_device()
        found = f"{gpu.name}, compute capability {gpu.sm / 10}, driver for CUDA {gpu.driver}"
    except DeviceError as error:
        found = f"none: {error.fact}"
    release = f"{board.jetpack or 'unknown'} (Jetson Linux {board.l4t})" if board.l4t else ""
    return {
        "board": f"{board.board or 'not known'}: {board.why}",
        "JetPack": release or "none",
        "GPU": found,
    }


def processor() -> str:
    """Return the name of the processor, as Linux gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _plans() -> str:
    try:
        return f"{count_plans()} in {plans_folder()}"
    except InputError as error:
        return f"none: {error.fact}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _model(name: str) -> str:
    try:
        manifest = load_manifest(score_graph(name))
    except InputError as error:
        return error.fact
    return (
        f"{manifest.precision}, {manifest.parameters:,} parameters, sha256 {manifest.sha256[:12]}"
    )
