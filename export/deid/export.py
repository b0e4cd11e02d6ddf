"""From a trained operator to the file that draws: ONNX and its manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import torch
from torch import Tensor

from sealshot.export.nets.deid import NOISE, Operator
from sealshot.export.nets.onnx_export import OPSET, count_macs, to_onnx
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.public.painter import DrawingManifest
from sealshot.runtime.public.placing import LANDMARKS, SIDE_PX

NAME = "faces"


def export_operator(
    operator: Operator, path: Path, training_set: str, critics_auc: tuple[float, ...]
) -> DrawingManifest:
    """Write ``path`` and its manifest; the batch is dynamic."""
    operator = operator.cpu()
    data = to_onnx(operator, ["crops", "landmarks", "noise"], [NAME], _example)
    write_atomic(path, data)
    manifest = DrawingManifest(
        name=NAME,
        sha256=hashlib.sha256(data).hexdigest(),
        architecture="UU-Net's operator U_e on 4x4 cells, landmarks and noise",
        parameters=sum(p.numel() for p in operator.parameters()),
        precision="fp32",
        opset=OPSET,
        versions={"torch": torch.__version__, "onnx": onnx.__version__},
        macs_per_face=count_macs(operator, _example),
        training_set=training_set,
        critics_auc=critics_auc,
    )
    manifest.write(path)
    return manifest


def load_operator(checkpoint: Path) -> tuple[Operator, str, tuple[float, ...]]:
    """Return the operator of a checkpoint of `sealshot train deid`, its set and its critics' AUC.

    Raises:
        InputError: it is something else.
    """
    operator = Operator()
    try:
        state = torch.load(checkpoint, weights_only=True)
        operator.load_state_dict(state["averaged"])
        told = str(state["training_set"]), tuple(map(float, state["critics_auc"]))
    except Exception as error:  # unpickling raises anything
        raise InputError(
            f"{checkpoint} is no checkpoint of `sealshot train deid`",
            hint="give DIR/operator.ckpt",
        ) from error
    return operator, *told


def _example(count: int) -> tuple[Tensor, Tensor, Tensor]:
    return (
        torch.zeros(count, 3, SIDE_PX, SIDE_PX, dtype=torch.uint8),
        torch.full((count, LANDMARKS, 2), SIDE_PX / 2),
        torch.zeros(count, NOISE * NOISE),
    )
