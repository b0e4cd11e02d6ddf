"""TensorRT plans on disk: what each is bound to, where they lie, and which of them fits here.

A plan runs on the TensorRT version, GPU and JetPack that built it and nowhere else; loaded
elsewhere it fails late and darkly, or runs slowly. So each ``NAME.plan`` has a manifest
``NAME.json`` beside it, and the manifest is checked before TensorRT sees the plan.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from sealshot.kernels.cache_folder import VARIABLE
from sealshot.runtime.engines.manifest import FORMAT, NewerFormatError, ScoreManifest, sidecar
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import cache_folder, write_atomic

PLANS = "plans"
"""Folder of the cache."""
PLAN = ".plan"
"""Suffix of a plan's file."""


class Batch(NamedTuple):
    """The optimization profile of a plan: how many crops it takes at once."""

    smallest: int
    usual: int
    largest: int

    def __str__(self) -> str:
        return "-".join(map(str, self))


DEFAULT_BATCH = Batch(1, 8, 32)


@dataclass(frozen=True)
class Target:
    """What a plan is bound to."""

    tensorrt: str
    """Version, as 10.3.0."""
    compute_capability: str
    """Of the GPU (SM), as 8.7."""
    device: str
    """Name of the GPU, as the driver gives it."""
    jetpack: str
    """As 6.2; empty where the machine is no Jetson."""


WORDS = {
    "tensorrt": "TensorRT",
    "compute_capability": "compute capability",
    "device": "the GPU",
    "jetpack": "JetPack",
}


@dataclass(frozen=True)
class PlanManifest:
    """What a plan says about itself. Written beside ``NAME.plan`` as ``NAME.json``."""

    plan_sha256: str
    model: ScoreManifest
    """Of the ONNX graph that it was built from; its sha256 is that of the ONNX file."""
    target: Target
    batch: Batch
    dla_core: int | None
    """Core of the deep-learning accelerator; None for the GPU."""
    build_s: float

    @property
    def name(self) -> str:
        """File name without suffix: it says all that the plan depends on."""
        target, model = self.target, self.model
        parts = [
            f"{model.name}.{model.precision}",
            model.sha256[:12],
            f"trt{target.tensorrt}",
            f"sm{target.compute_capability.replace('.', '')}",
            target.device.lower().replace(" ", "_").replace("/", "_"),
            f"b{self.batch}",
        ]
        parts += [f"jp{target.jetpack.replace(' ', '')}"] if target.jetpack else []
        parts += [] if self.dla_core is None else [f"dla{self.dla_core}"]
        return "-".join(parts)

    def write(self, plan: Path) -> None:
        """Write the sidecar of ``plan``."""
        values = {"format": FORMAT, **asdict(self), "model": self.model.as_json()}
        write_atomic(sidecar(plan), (json.dumps(values, indent=1) + "\n").encode())

    def mismatches(self, here: Target) -> list[str]:
        """Return what differs between where the plan was built and here, in words."""
        return [
            f"{WORDS[f.name]} {there or 'none'} (here: {now or 'none'})"
            for f in fields(Target)
            if (there := getattr(self.target, f.name)) != (now := getattr(here, f.name))
        ]


def build_command(model: Path | str) -> str:
    """Return the command that builds the plan of a model."""
    return f"sealshot export {shlex.quote(str(model))} --engine tensorrt"


def require_writable(folder: Path) -> None:
    """Make a folder, and check that files can be made in it, before minutes are spent.

    Raises:
        SealshotError: it cannot be written to.
    """
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SealshotError(
            f"the cache folder {folder} cannot be written to: {error.strerror}",
            hint=f"name another: {VARIABLE}=DIR sealshot ...",
        ) from error


def read_plan_manifest(plan: Path) -> PlanManifest:
    """Read the manifest of a plan.

    Raises:
        InputError: it is missing or malformed.
    """
    path = sidecar(plan)
    try:
        raw: dict[str, Any] = json.loads(path.read_text())
        if raw.get("format", 1) > FORMAT:
            raise NewerFormatError(raw["format"])
        return PlanManifest(
            plan_sha256=str(raw["plan_sha256"]),
            model=ScoreManifest.from_json(raw["model"]),
            target=Target(**raw["target"]),
            batch=Batch(*map(int, raw["batch"])),
            dla_core=None if raw["dla_core"] is None else int(raw["dla_core"]),
            build_s=float(raw["build_s"]),
        )
    except OSError as error:
        raise InputError(
            f"{plan} has no manifest {path.name} that can be read: {error.strerror}",
            hint=f"build it here: {build_command('MODEL.onnx')}",
        ) from None
    except NewerFormatError as error:
        raise InputError(f"{path} cannot be read: {error}", hint="update sealshot") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} is not the manifest of a plan: {error!r}",
            hint=f"build the plan again: {build_command('MODEL.onnx')}",
        ) from None


def read_plan(plan: Path, here: Target, model: Path | str = "MODEL.onnx") -> bytes:
    """Read a plan after its manifest was checked against this machine.

    Args:
        plan: ``NAME.plan`` with ``NAME.json`` beside it.
        here: this machine.
        model: the ONNX file, for the hint.

    Raises:
        InputError: plan or manifest is missing or damaged, or was built for another machine.
    """
    manifest = read_plan_manifest(plan)
    again = f"build it here: {build_command(model)}"
    if differ := manifest.mismatches(here):
        raise InputError(f"{plan} was built for {', '.join(differ)}", hint=again)
    try:
        data = plan.read_bytes()
    except OSError as error:
        raise InputError(f"{plan} cannot be read: {error.strerror}", hint=again) from None
    if hashlib.sha256(data).hexdigest() != manifest.plan_sha256:
        raise InputError(f"{plan} is not the file that its manifest describes", hint=again)
    return data


def find_plan(
    model: Path, manifest: ScoreManifest, here: Target, cache: Path | None = None
) -> Path:
    """Return the plan in the cache that was built on this machine from a model.

    Args:
        model: the ONNX file.
        manifest: of the ONNX file.
        here: this machine.
        cache: cache folder; None takes the usual one.

    Raises:
        InputError: there is none; the fact says what the nearest one was built for.
    """
    folder = plans_folder(cache)
    built = [(p, m) for p, m in _plans(folder) if m.model.sha256 == manifest.sha256]
    fitting = [p for p, m in built if not m.mismatches(here)]
    if fitting:
        return max(fitting, key=lambda p: p.stat().st_mtime)
    build = build_command(model)
    if not built:
        raise InputError(f"{model.name} has no TensorRT plan in {folder}", hint=f"run `{build}`")
    nearest = min((m.mismatches(here) for _, m in built), key=len)
    raise InputError(
        f"the TensorRT plan of {model.name} in {folder} was built for {', '.join(nearest)}",
        hint=f"run `{build}`",
    )


def plans_folder(cache: Path | None = None) -> Path:
    """Return where the plans lie in a cache."""
    return cache / PLANS if cache else cache_folder(PLANS)


def count_plans(cache: Path | None = None) -> int:
    """Return how many plans lie in a cache, whatever they are for."""
    return len(list(plans_folder(cache).glob(f"*{PLAN}")))


def _plans(folder: Path) -> Iterator[tuple[Path, PlanManifest]]:
    """Yield the plans of a folder whose manifests can be read."""
    for plan in sorted(folder.glob(f"*{PLAN}")):
        try:
            yield plan, read_plan_manifest(plan)
        except InputError:
            continue
