"""Nets that draw one grey, or what they see, whatever else they are told."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from sealshot.runtime.public.painter import NOISE, DrawingManifest
from sealshot.runtime.public.undo import UndoManifest

ATTRIBUTES = ("Male", "Young")
DRAWING = {
    "crops": (np.uint8, (3, 64, 64)),
    "landmarks": (np.float32, (5, 2)),
    "noise": (np.float32, (NOISE,)),
    "control": (np.float32, (len(ATTRIBUTES),)),
}
UNDOING = {"drawn": (np.uint8, (3, 64, 64))}


def drawing_net(path: Path, grey: int | None) -> Path:
    """Write a net that draws, and its manifest; None draws what it sees."""
    DrawingManifest(
        **_written(path, DRAWING, "crops", grey),
        macs_per_face=0,
        training_set="none",
        critics_auc=(0.5,),
        attributes=ATTRIBUTES,
        reversible=False,
    ).write(path)
    return path


def undoing_net(path: Path, grey: int) -> Path:
    """Write a net that undoes, and its manifest."""
    UndoManifest(
        **_written(path, UNDOING, "drawn", grey), macs_per_face=0, training_set="none", undoes="-"
    ).write(path)
    return path


def _written(path: Path, inputs: dict, seen: str, grey: int | None) -> dict:
    from onnx import TensorProto, helper, numpy_helper

    kinds = {np.uint8: TensorProto.UINT8, np.float32: TensorProto.FLOAT}
    takes = [
        helper.make_tensor_value_info(name, kinds[kind], ["n", *shape])
        for name, (kind, shape) in inputs.items()
    ]
    gives = helper.make_tensor_value_info("faces", TensorProto.UINT8, ["n", 3, 64, 64])
    constants = [
        numpy_helper.from_array(np.array(grey is None, np.uint8), "factor"),
        numpy_helper.from_array(np.array(grey or 0, np.uint8), "grey"),
    ]
    nodes = [
        helper.make_node("Mul", [seen, "factor"], ["kept"]),
        helper.make_node("Add", ["kept", "grey"], ["faces"]),
    ]
    graph = helper.make_graph(nodes, "grey", takes, [gives], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = made.SerializeToString()
    path.write_bytes(data)
    return {
        "name": "grey",
        "sha256": hashlib.sha256(data).hexdigest(),
        "architecture": "one grey",
        "parameters": 0,
        "precision": "fp32",
        "opset": 17,
    }
