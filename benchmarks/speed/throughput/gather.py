"""Who can race here: our engines and precisions, the same scores by other means, the peers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from sealshot.benchmarks.speed.throughput.contenders import (
    EAGER,
    OPENVINO,
    OURS,
    PEER,
    PLAIN,
    Contender,
    Crops,
    pinned,
)
from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.detect import open_detector
from sealshot.runtime.engines import ENGINES, engine_forms
from sealshot.runtime.engines.manifest import ScoreManifest, load_manifest
from sealshot.runtime.errors import InputError
from sealshot.runtime.sources import frames_of, open_source
from sealshot.runtime.weights.forms import PRECISIONS, forms

OWN_ENGINES = tuple(engine for engine in ENGINES if engine != "auto")
OTHERS = {"pytorch": EAGER, "plain": PLAIN, "openvino": OPENVINO, "peers": PEER}
EVERY_ENGINE = (*OWN_ENGINES, *OTHERS)
NEEDS = {"pytorch": "torch", "plain": "torch", "openvino": "openvino", "peers": "torch"}
T = TypeVar("T")
INSTALL = {"torch": "pip install 'sealshot[export]'", "openvino": "pip install openvino"}


@dataclass(frozen=True)
class LeftOut:
    """What was not measured."""

    what: str
    why: str


def left_out_because(what: str, model: Path, error: InputError) -> LeftOut:
    """Say why; a result names files, not where they lay."""
    return LeftOut(what, error.fact.replace(f"{model.parent}/", ""))


def gather(
    models: Sequence[Path], engines: Sequence[str], folder: Path
) -> tuple[list[Contender], list[LeftOut]]:
    """Return all that can be tried, and what cannot.

    Args:
        models: score graphs.
        engines: of :data:`EVERY_ENGINE`.
        folder: where what has to be exported first goes; it must outlive the race.

    Raises:
        InputError: a model is missing, or its manifest is.
    """
    found: list[Contender] = []
    left_out: list[LeftOut] = []
    for model in models:
        files = forms(model)
        found += [
            _described(load_manifest(file), file, OURS, engine)
            for engine in OWN_ENGINES
            if engine in engines
            for file in engine_forms(model, engine).values()
        ]
        missing = [p for p in PRECISIONS if p not in files]
        if missing and "fp32" in files:
            left_out.append(LeftOut(f"{model.stem} {', '.join(missing)}", "there is no such file"))
        others: dict[str, Callable[[Path, Path], Contender]] = {
            "pytorch": _eager,
            "plain": _plain,
            "openvino": _openvino,
        }
        for engine, describe in others.items():
            if engine in engines and "fp32" in files:
                try:
                    found.append(describe(model, folder))
                except ImportError:
                    left_out.append(_not_installed(f"{model.stem}, {OTHERS[engine]}", engine))
                except InputError as error:
                    left_out.append(
                        left_out_because(f"{model.stem}, {OTHERS[engine]}", model, error)
                    )
    if "peers" in engines:
        try:
            found += _peers(folder)
        except ImportError:
            left_out.append(_not_installed("other people's networks", "peers"))
    return found, left_out


def open_all(
    contenders: Sequence[Contender], threads: Sequence[int], opener: Callable[[Contender, int], T]
) -> tuple[list[tuple[Contender, int, T]], list[LeftOut]]:
    """Open contenders on each number of threads; return what cannot be opened here, too."""
    ready: list[tuple[Contender, int, T]] = []
    left_out: list[LeftOut] = []
    for contender in contenders:
        try:
            for count in threads:
                with pinned(count):  # the threads of an engine stay where they were started
                    ready.append((contender, count, opener(contender, count)))
        except InputError as error:
            left_out.append(left_out_because(contender.name, contender.model, error))
        except ImportError as error:
            left_out.append(LeftOut(contender.name, str(error)))
    return ready, left_out


def faces_of(source: str, count: int) -> Crops:
    """Return the crops of the first ``count`` faces in a clip or a folder: ``[n, 1, 64, 64]``.

    Raises:
        InputError: there is no such source, or fewer than two faces in it.
    """
    detector = open_detector("mtcnn", threads=1)
    with open_source(source) as items:
        each = (
            crop
            for frame in frames_of(items)
            for crop in crop_resize_grey(frame.image, [f.box for f in detector.detect(frame.image)])
        )
        found = list(islice(each, count))
    if len(found) < 2:
        raise InputError(f"{source} shows {len(found)} faces", hint="name one that shows more")
    return np.stack(found)


def _described(manifest: ScoreManifest, model: Path, way: str, engine: str) -> Contender:
    several = f" L = {manifest.samples}" if manifest.samples > 1 else ""
    return Contender(
        score=manifest.name + several,
        way=way,
        engine=engine,
        precision=manifest.precision,
        model=model,
        parameters=manifest.parameters,
        macs_per_face=manifest.macs_per_face,
        file_bytes=model.stat().st_size,
        sha256=manifest.sha256,
    )


def _eager(model: Path, _folder: Path) -> Contender:
    contender = _described(load_manifest(model), model, EAGER, "pytorch")
    return replace(contender, note="several threads wait in a loop: slow on cores that are shared")


def _plain(model: Path, folder: Path) -> Contender:
    from sealshot.export.nets.onnx_export import to_onnx
    from sealshot.export.rebuild import load_graph

    manifest = load_manifest(model)
    path = folder / f"{model.stem}.plain.onnx"
    path.write_bytes(to_onnx(load_graph(model, manifest), ["crops"], ["score"]))
    ours = _described(manifest, path, PLAIN, "onnxruntime")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return replace(ours, sha256=digest, note="straight from PyTorch, nothing folded or fused")


def _openvino(model: Path, _folder: Path) -> Contender:
    import openvino

    contender = _described(load_manifest(model), model, OPENVINO, "openvino")
    return replace(contender, note=f"OpenVINO {openvino.__version__.partition('-')[0]}")


def _peers(folder: Path) -> Iterator[Contender]:
    from sealshot.benchmarks.speed.graph_cost import read_layers
    from sealshot.benchmarks.speed.throughput.peers import PEERS, build
    from sealshot.export.nets.onnx_export import to_onnx

    for peer in PEERS:
        graph = build(peer)
        path = folder / f"{peer.name}.onnx"
        path.write_bytes(to_onnx(graph, ["crops"], ["score"]))
        yield Contender(
            score=peer.name,
            way=PEER,
            engine="onnxruntime",
            precision="fp32",
            model=path,
            parameters=sum(p.numel() for p in graph.parameters()),
            macs_per_face=sum(layer.macs for layer in read_layers(path, 1)),
            file_bytes=path.stat().st_size,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            note=peer.note,
        )


def _not_installed(what: str, engine: str) -> LeftOut:
    needed = NEEDS[engine]
    return LeftOut(what, f"needs {needed}, which is not installed: {INSTALL[needed]}")
