"""From trained nets to the files that draw and undo: ONNX and manifests."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from sealshot.export.deid.labels import ATTRIBUTES
from sealshot.export.deid.training import Trained
from sealshot.export.nets.deid import NOISE, Release, Reversible, Undo
from sealshot.export.nets.onnx_export import OPSET, count_macs, to_onnx
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.public.painter import DrawingManifest
from sealshot.runtime.public.placing import LANDMARKS, SIDE_PX
from sealshot.runtime.public.undo import UndoManifest

INPUTS = ["crops", "landmarks", "noise", "control"]
NAME = "faces"
ARCHITECTURES = {
    False: "UU-Net's operator U_e on 4x4 cells, landmarks, labels and noise",
    True: "UU-Net's operator U_e on the whole face, labels and noise",
}


def export_drawing(trained: Trained, path: Path) -> DrawingManifest:
    """Write what draws, ``path``, and its manifest; the batch is dynamic."""
    drawing = trained.drawing.cpu()
    data = to_onnx(drawing, INPUTS, [NAME], _example)
    write_atomic(path, data)
    reversible = trained.undo is not None
    manifest = DrawingManifest(
        name=NAME,
        sha256=hashlib.sha256(data).hexdigest(),
        architecture=ARCHITECTURES[reversible],
        parameters=_parameters(drawing),
        precision="fp32",
        opset=OPSET,
        versions=_versions(),
        macs_per_face=count_macs(drawing, _example),
        training_set=trained.training_set,
        critics_auc=trained.auc,
        attributes=ATTRIBUTES,
        reversible=reversible,
    )
    manifest.write(path)
    return manifest


def export_undo(undo: Undo, path: Path, training_set: str, undoes: str) -> UndoManifest:
    """Write what undoes, ``path``, and its manifest; ``undoes`` is the sha256 of what draws."""
    undo = undo.cpu()
    data = to_onnx(undo, ["drawn"], [NAME], _drawn)
    write_atomic(path, data)
    manifest = UndoManifest(
        name="undo",
        sha256=hashlib.sha256(data).hexdigest(),
        architecture="UU-Net's U_d",
        parameters=_parameters(undo),
        precision="fp32",
        opset=OPSET,
        versions=_versions(),
        macs_per_face=count_macs(undo, _drawn),
        training_set=training_set,
        undoes=undoes,
    )
    manifest.write(path)
    return manifest


def load_trained(checkpoint: Path) -> Trained:
    """Return what is in a checkpoint of `sealshot train deid`, finished or not.

    Raises:
        InputError: it is something else.
    """
    try:
        state = torch.load(checkpoint, weights_only=True)
        reversible = bool(state["settings"]["reversible"])
        drawing = (Reversible if reversible else Release)(len(ATTRIBUTES))
        drawing.load_state_dict(state["averaged"])
        undo = Undo() if reversible else None
        if undo:
            undo.load_state_dict(state["averaged beside"])
        told = str(state["training_set"]), tuple(map(float, state["critics_auc"]))
    except Exception as error:  # unpickling raises anything
        raise InputError(
            f"{checkpoint} is no checkpoint of `sealshot train deid`",
            hint="give DIR/operator.ckpt",
        ) from error
    return Trained(drawing, undo, *told)


def _parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def _versions() -> dict[str, str]:
    return {"torch": torch.__version__, "onnx": onnx.__version__}


def _example(count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        *_drawn(count),
        torch.full((count, LANDMARKS, 2), SIDE_PX / 2),
        torch.full((count, NOISE), 0.5),
        torch.zeros(count, len(ATTRIBUTES)),
    )


def _drawn(count: int) -> tuple[Tensor]:
    return (torch.zeros(count, 3, SIDE_PX, SIDE_PX, dtype=torch.uint8),)
