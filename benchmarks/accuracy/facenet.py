"""facenet-pytorch's MTCNN, run straight from its wheel: the peer that `mtcnn:exact` is held to.

The package asks for old versions of NumPy, PyTorch and torchvision. Its detector needs none of
them: only the non-maximum suppression comes from torchvision, so a stand-in is put in its place
while the package is imported.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Image

PACKAGE = "facenet_pytorch"
TORCHVISION = (
    "torchvision",
    "torchvision.transforms",
    "torchvision.transforms.functional",
    "torchvision.ops",
    "torchvision.ops.boxes",
)


class FacenetMtcnn:
    """MTCNN of facenet-pytorch, with its own default settings."""

    def __init__(self, net: Any) -> None:
        self._net = net

    def detect(self, image: Image) -> list[Face]:
        """Return the faces of ``image`` (uint8 ``[h, w, 3]``, BGR)."""
        rgb = np.ascontiguousarray(image[..., ::-1])
        with torch.inference_mode():
            boxes, scores, landmarks = self._net.detect(rgb, landmarks=True)
        if boxes is None:
            return []
        return [
            Face(np.asarray(box, np.float32), float(score), np.asarray(points, np.float32))
            for box, score, points in zip(boxes, scores, landmarks, strict=True)
        ]


@contextmanager
def facenet_mtcnn(wheel: Path, *, min_face_px: int) -> Iterator[FacenetMtcnn]:
    """Unpack the wheel for the time of the block, and open its detector.

    Raises:
        InputError: the file is not a facenet-pytorch wheel.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(f"{wheel} is not a wheel", hint="check the path") from error
        if not (folder / PACKAGE / "models" / "mtcnn.py").is_file():
            raise InputError(
                f"{wheel} is not a facenet-pytorch wheel",
                hint="get one with `pip download --no-deps facenet-pytorch`",
            )
        with _stand_ins(folder / PACKAGE):
            module = importlib.import_module(f"{PACKAGE}.models.mtcnn")
            net = module.MTCNN(keep_all=True, min_face_size=min_face_px, device="cpu")
        yield FacenetMtcnn(net)


@contextmanager
def _stand_ins(package: Path) -> Iterator[None]:
    """Let the package be imported without torchvision and without its other models."""
    before = dict(sys.modules)
    modules = {name: ModuleType(name) for name in (PACKAGE, *TORCHVISION)}
    modules[PACKAGE].__path__ = [str(package)]
    functional = modules["torchvision.transforms.functional"]
    modules["torchvision.transforms"].__dict__["functional"] = functional
    modules["torchvision.ops.boxes"].__dict__["batched_nms"] = _batched_nms
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - set(before):
            if name.partition(".")[0] in (PACKAGE, "torchvision"):
                del sys.modules[name]
        sys.modules.update(before)


def _batched_nms(
    boxes: torch.Tensor, scores: torch.Tensor, image: torch.Tensor, overlap: float
) -> torch.Tensor:
    """Greedy suppression by IoU; written apart from ours, for a comparison's sake."""
    assert not image.any(), "one image at a time"
    kept: list[int] = []
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = torch.sort(scores, descending=True, stable=True).indices
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        low = torch.maximum(boxes[best, :2], boxes[left, :2])
        high = torch.minimum(boxes[best, 2:], boxes[left, 2:])
        shared = (high - low).clamp(min=0).prod(dim=1)
        left = left[shared / (area[best] + area[left] - shared) <= overlap]
    return torch.tensor(kept, dtype=torch.int64)
