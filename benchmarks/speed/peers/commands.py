"""What starts each pipeline, and the packages that those of others need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sealshot.benchmarks.speed.peers import theirs
from sealshot.runtime.cli.terminal import note
from sealshot.runtime.detect import MIN_FACE_PX
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import cache_folder

OURS, FACENET, YUNET, YUNET_SMALL = (
    "sealshot",
    "facenet-pytorch MTCNN",
    "YuNet",
    "YuNet at 640 px",
)
SMALL_PX = 640
PACKAGES = {"trackers": "2.6.1", "supervision": "0.31.2", "facenet-pytorch": "2.6.0"}
SMALL = ("pydeprecate", "defusedxml", "pyyaml", "tqdm")
BESIDE = (*SMALL, "requests", "urllib3", "certifi", "idna", "charset-normalizer")
"""What those import and sealshot does not; without what else they name, an old torch among it."""


def commands_of(
    yunet: Path | None,
) -> dict[str, Callable[[Path], tuple[list[str], Mapping[str, str]]]]:
    """Return, by the name of each pipeline, what starts it on a clip, and its variables.

    Args:
        yunet: YuNet's model; None leaves it out.

    Raises:
        InputError: there is no PyTorch.
        SealshotError: the packages of the others cannot be installed.
    """
    try:
        version("torch")
    except PackageNotFoundError:
        raise InputError(
            "facenet-pytorch needs PyTorch", hint="pip install 'sealshot[export]'"
        ) from None
    compiled = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    compiled["PYTHONPYCACHEPREFIX"] = str(cache_folder("builds/compiled"))
    peers = compiled | {"PYTHONPATH": str(_installed())}
    script = [sys.executable, theirs.__file__]

    def other(*options: str) -> Callable[[Path], tuple[list[str], Mapping[str, str]]]:
        least = ["--min-face", str(MIN_FACE_PX)]
        return lambda clip: ([*script, options[0], str(clip), *least, *options[1:]], peers)

    ours = [sys.executable, "-m", "sealshot.benchmarks.speed.peers.ours"]
    commands = {OURS: lambda clip: ([*ours, str(clip)], compiled), FACENET: other("facenet")}
    if yunet:
        model = ("--model", str(yunet.resolve()))
        commands[YUNET] = other("yunet", *model)
        commands[YUNET_SMALL] = other("yunet", *model, "--width", str(SMALL_PX))
    return commands


def _installed() -> Path:
    """Install the packages of the peers into a folder of the cache, or take the one made before."""
    name = "-".join(f"{name}-{number}" for name, number in PACKAGES.items())
    folder = cache_folder(f"builds/{name}")
    whole = folder / "installed"
    if not whole.exists():
        note(f"installing {', '.join(PACKAGES)} into {folder}")
        wanted = [*(f"{name}=={number}" for name, number in PACKAGES.items()), *BESIDE]
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--upgrade"]
        done = subprocess.run(
            [*command, "--target", str(folder), *wanted], capture_output=True, text=True
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise SealshotError(f"pip failed: {last}", hint="it needs a package index")
        whole.touch()
    return folder
