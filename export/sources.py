"""What `sealshot export` takes: a trained score, from a graph or a checkpoint, and face crops."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sealshot.export.nets.onnx_export import OPSET, count_macs
from sealshot.export.nets.student import Student
from sealshot.export.nets.vae import SAMPLES, RpScore, Vae
from sealshot.export.rebuild import load_graph
from sealshot.export.train.data import pictures_below
from sealshot.export.train.expression import EYES_WEIGHT, SMILE_WEIGHT, TURN_WEIGHT
from sealshot.runtime.cli.terminal import progress
from sealshot.runtime.crops import CROP_PX, crop_resize_grey
from sealshot.runtime.detect import open_detector
from sealshot.runtime.detect.subject import main_face
from sealshot.runtime.engines.eyes import EYES
from sealshot.runtime.engines.manifest import ScoreManifest, load_manifest, sidecar
from sealshot.runtime.errors import InputError
from sealshot.runtime.weights import score_graph

MOST_FACES = 2000
"""Taken of a folder, in an order drawn with a fixed seed."""
LEAST_FACES = 16
LEAST_CONTRAST = 4.0
"""Grey levels, standard deviation: a crop with less is a flat grey."""
LEAST_SPAN = 64
"""Grey levels between the darkest and the brightest hundredth of all pixels."""


def open_trained(spec: str, samples: int | None) -> tuple[nn.Module, ScoreManifest, bool]:
    """Return a trained score, a manifest for it, and whether that holds the percentiles.

    Args:
        spec: name of a score that ships, ``FILE.onnx`` of float32, or ``FILE.ckpt`` of
            `sealshot train`.
        samples: latent samples instead of the model's own; 0 is the mean alone.

    Raises:
        InputError: it is none of them, or it has no latent samples.
    """
    path = Path(spec)
    if path.suffix == ".ckpt":
        graph, manifest = _open_checkpoint(path)
        complete = bool(manifest.score_quantiles)
    else:
        path = score_graph(spec)
        if path.suffix != ".onnx":
            raise InputError(f"{path} is no score graph", hint="name its FILE.onnx of float32")
        manifest = load_manifest(path)
        graph, complete = load_graph(path, manifest), True
    if samples is None:
        return graph, manifest, complete
    if not isinstance(graph, RpScore):
        raise InputError(f"{spec} has no latent samples", hint="leave --samples out")
    samples = max(1, samples)
    graph = RpScore(graph.vae, manifest.seed, samples).eval()
    changed = {"samples": samples, "macs_per_face": count_macs(graph)}
    # the distribution of scores is another one
    return graph, ScoreManifest(**{**vars(manifest), **changed}), False


def _open_checkpoint(path: Path) -> tuple[nn.Module, ScoreManifest]:
    """The score of a checkpoint; its manifest takes what it can from one that lies beside it.

    It heeds the eyes if that one does, or else if a network of the eyes lies beside it.
    """
    try:
        state = torch.load(path, weights_only=True)
        weights, seed = state["best"], int(state["schedule"]["seed"])
    except FileNotFoundError:
        raise InputError(f"there is no file {path}", hint="check the path") from None
    except Exception as error:  # unpickling raises anything
        raise InputError(
            f"{path} is not a checkpoint of `sealshot train`", hint="name one, or a FILE.onnx"
        ) from error
    is_vae = any(name.startswith("decoder.") for name in weights)
    part: nn.Module = Vae() if is_vae else Student()
    try:
        part.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            f"{path} is of another architecture: {str(error).splitlines()[0]}",
            hint="name a checkpoint of this version",
        ) from error
    graph = RpScore(part, seed) if isinstance(part, Vae) else part
    graph.eval()
    beside = path.with_suffix(".onnx")
    known = load_manifest(beside) if sidecar(beside).is_file() and beside.is_file() else None
    heeds = not is_vae and path.with_name(EYES).is_file()
    return graph, ScoreManifest(
        name="rp" if is_vae else "quality",
        sha256="",
        architecture=known.architecture if known else type(part).__name__,
        parameters=sum(p.numel() for p in graph.parameters()),
        macs_per_face=count_macs(graph),
        precision="fp32",
        samples=SAMPLES if is_vae else 0,
        seed=seed,
        training_set=known.training_set if known else "not known: exported from a checkpoint",
        training_set_sha256=known.training_set_sha256 if known else "",
        opset=OPSET,
        eyes_weight=known.eyes_weight if known else EYES_WEIGHT * heeds,
        smile_weight=known.smile_weight if known else SMILE_WEIGHT * heeds,
        turn_weight=known.turn_weight if known else TURN_WEIGHT * heeds,
    )


def open_crops(sources: list[Path]) -> tuple[NDArray[np.uint8], str]:
    """Return face crops ``uint8 [n, 1, 64, 64]`` and the names of the sets.

    Args:
        sources: folders of face pictures, or ``.npz`` files with an array ``crops``, such as
            `sealshot train` keeps.

    Raises:
        InputError: a source is neither, or shows too few faces to calibrate with.
    """
    sets = [_kept(p) if p.suffix == ".npz" else (_cut(p), p.resolve().name) for p in sources]
    crops = np.concatenate([crops for crops, _ in sets])
    if len(crops) < LEAST_FACES:
        raise InputError(
            f"{len(crops)} faces are too few to calibrate with",
            hint=f"give {LEAST_FACES} or more, or 500",
        )
    check_variety(crops)
    return crops, ", ".join(name for _, name in sets)


def check_variety(crops: NDArray[np.uint8]) -> None:
    """Refuse crops that say nothing of the range of numbers that faces give.

    Args:
        crops: ``uint8 [n, 1, 64, 64]``.

    Raises:
        InputError: too few of them differ and show anything, or all are about as dark.
    """
    pictures = crops.reshape(len(crops), -1)
    showing = pictures[pictures.std(axis=1) >= LEAST_CONTRAST]
    if len(np.unique(showing, axis=0)) < LEAST_FACES:
        raise InputError(
            f"of {len(crops)} crops to calibrate with fewer than {LEAST_FACES} show something "
            "and are not the same",
            hint="give pictures of many faces",
        )
    low, high = np.percentile(showing, (1, 99))
    if high - low < LEAST_SPAN:
        raise InputError(
            f"the crops to calibrate with show grey levels of {low:.0f} to {high:.0f} alone",
            hint="give pictures of faces in every light",
        )


def _kept(path: Path) -> tuple[NDArray[np.uint8], str]:
    """The crops of a file, and the name of the set: its own, if it says one."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            crops: NDArray[np.uint8] = arrays["crops"]
            names = list(map(str, arrays["names"])) if "names" in arrays.files else [path.name]
    except FileNotFoundError:
        raise InputError(f"there is no file {path}", hint="check the path") from None
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(
            f"{path} holds no face crops", hint="give a folder of face pictures"
        ) from error
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (1, CROP_PX, CROP_PX):
        raise InputError(
            f"the crops of {path} are {crops.dtype} {list(crops.shape)}",
            hint="crops are uint8 [n, 1, 64, 64]",
        )
    return crops, ", ".join(names)


def _cut(folder: Path) -> NDArray[np.uint8]:
    """The face that each picture below a folder is of."""
    pictures = pictures_below(folder, "give a folder of face pictures, or a FILE.npz")
    order = np.random.default_rng(0).permutation(len(pictures))
    detector = open_detector("mtcnn")
    crops: list[NDArray[np.uint8]] = []
    most = min(MOST_FACES, len(pictures))
    with progress("cutting faces", most) as bar:
        for i in order:
            image = cv2.imread(str(pictures[i]), cv2.IMREAD_COLOR)
            if image is None:
                continue
            pixels = np.asarray(image, np.uint8)
            face = main_face(detector.detect(pixels), pixels.shape[1], pixels.shape[0])
            if face is not None:
                crops.append(crop_resize_grey(pixels, [face.box])[0])
                bar.update(len(crops))
            if len(crops) == most:
                break
    return np.stack(crops) if crops else np.empty((0, 1, CROP_PX, CROP_PX), np.uint8)
