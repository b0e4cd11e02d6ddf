"""Training of `proposer.onnx`: it proposes where the P-net of MTCNN is to look, for less.

Between two close looks at a video most places are looked at quickly, and for that the P-net is
dear: it convolves at full size, and its PReLUs cost as much as their convolutions. The quick one
halves the picture twice in its first two layers and has plain ReLUs. It learns from collages of
pictures, in which the P-net says of every window what it thinks: no label, no identity.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as fn

from sealshot.export.mtcnn import OPSET, PIXEL_MEAN, PIXEL_SCALE, Graph, outputs
from sealshot.export.train.data import pictures_below
from sealshot.runtime.cli.arguments import Arguments, positive_int, run_module
from sealshot.runtime.cli.terminal import progress, say
from sealshot.runtime.detect.pyramid import WINDOW_PX
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.types import Floats, Image
from sealshot.runtime.weights import FOLDER

USAGE = """\
usage: python -m sealshot.export.proposer FOLDER:SHARE... -o DIR [options]

Train the network that looks quickly at a video (proposer.onnx, with proposer.json).

  FOLDER:SHARE       a folder of pictures of one face each, and the width of that face as a share of
                     the picture's
  -o, --output DIR   where the files go
  --count N          pictures taken of each folder at most (default 2600)
  --steps N          of training (default 6500: about a quarter of an hour of one core)

example:
  python -m sealshot.export.proposer faces-train:.56 lfw:.36 -o runtime/weights
"""

TEACHER = "mtcnn_pnet_stride4.onnx"
SHAPES = (3, 16, 4, 2), (16, 32, 3, 2), (32, 48, 2, 1), (48, 32, 1, 1), (32, 5, 1, 1)
"""Channels in and out, side and stride of each convolution; whole blocks of ONNX Runtime's."""
COLLAGE_PX = 160
OFTEN, SELDOM = (9.0, 21.0), (6.0, 110.0)
"""Widths of faces in a collage, in pixels; what the P-net takes for a face is 9 to 21 wide."""
KEPT, AT_FIRST, NEW, BATCH = 1500, 60, 5, 20
"""Collages that are kept, made before the first step, made for each, and shown in each."""
RATE = 3e-3
FACE = 0.6
"""Score of the P-net from which on its box is learnt, too."""

Said = tuple[Image, Floats, Floats]
"""A collage, and the P-net's score and offsets of its windows."""


class Proposer(nn.Module):
    """Score logit and four offsets of each 12x12 window, one every four pixels."""

    def __init__(self) -> None:
        """Start with random weights."""
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(*shape) for shape in SHAPES)
        for weight, bias in self.parts():
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
            nn.init.zeros_(bias)
        nn.init.zeros_(weight)
        bias.data[0] = -3  # few windows show a face

    def parts(self) -> list[tuple[Tensor, Tensor]]:
        """Return weight and bias of each layer."""
        parameters = list(self.parameters())
        return list(zip(parameters[::2], parameters[1::2], strict=True))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return ``[n, 5, h', w']`` of normalised BGR ``[n, 3, h, w]``."""
        for layer in self.layers[:-1]:
            pixels = fn.relu(layer(pixels))
        given: Tensor = self.layers[-1](pixels)
        return given


class Collages:
    """Pictures in all sizes over and beside each other, as a level of a pyramid may show them."""

    def __init__(self, folders: Sequence[tuple[Path, float]], count: int, seed: int) -> None:
        """Read at most ``count`` pictures of each folder, whose faces are a share as wide.

        Raises:
            InputError: there is no such folder, or no picture below it.
        """
        self._chance, self._noise = random.Random(seed), np.random.default_rng(seed)
        self._coded: list[tuple[NDArray[np.uint8], float]] = []
        for folder, share in folders:
            found = pictures_below(folder)
            self._chance.shuffle(found)
            self._coded += [(np.fromfile(path, np.uint8), share) for path in found[:count]]
        self._open: list[tuple[Image, float]] = []
        self._teacher = OnnxRuntimeRunner(FOLDER / TEACHER, threads=1)
        self._kept: list[Said] = []

    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return normalised pixels ``[n, 3, h, w]``, the P-net's scores and its offsets."""
        new = NEW if self._kept else AT_FIRST
        made = np.stack([self._collage() for _ in range(new)])
        given = self._teacher.run({"image": made.transpose(0, 3, 1, 2).astype(np.float32)})
        for said in zip(made, given["score"], given["box"], strict=True):
            if len(self._kept) == KEPT:
                self._kept.pop(self._chance.randrange(KEPT))
            self._kept.append(said)
        some = self._kept[-NEW:] + self._chance.choices(self._kept, k=BATCH - NEW)
        pixels = np.stack([said[0] for said in some]).astype(np.float32)
        return (
            torch.from_numpy((pixels - PIXEL_MEAN) * PIXEL_SCALE).permute(0, 3, 1, 2),
            torch.from_numpy(np.stack([said[1] for said in some])),
            torch.from_numpy(np.stack([said[2] for said in some])),
        )

    def _collage(self) -> Image:
        chance, side = self._chance, COLLAGE_PX
        base = self._toned(self._picture())
        if chance.random() < 0.5:
            collage = np.asarray(cv2.resize(base, (side, side)), np.uint8)
        else:
            times = [-(-side // size) for size in base.shape[:2]]
            collage = np.tile(base, (*times, 1))[:side, :side].copy()
        for _ in range(chance.randrange(4, 26)):
            part = self._toned(self._picture())
            (top, above), (left, before) = (self._place(size) for size in part.shape[:2])
            part = part[above : above + side - top, before : before + side - left]
            collage[top : top + part.shape[0], left : left + part.shape[1]] = part
        return collage

    def _place(self, size: int) -> tuple[int, int]:
        """Return where a part of a size begins in a collage, and how much of it is cut off there.

        It may lie over either edge; one that is larger than the collage fills it.
        """
        room = COLLAGE_PX - size
        at = self._chance.randrange(room, 1) if room < 0 else 0
        if room > 0:
            at = self._chance.randrange(-(size // 2), COLLAGE_PX - size // 3)
        return max(at, 0), max(-at, 0)

    def _picture(self) -> Image:
        """Return a picture at such a size that its face is of some size, mirrored or turned."""
        chance = self._chance
        if not self._open or chance.random() < 0.25:  # to decode one costs more than all else
            self._open = [*self._open[-400:], self._decoded()]
        image, share = chance.choice(self._open)
        low, high = OFTEN if chance.random() < 0.6 else SELDOM
        width = math.exp(chance.uniform(math.log(low), math.log(high)))
        scale = min(1.3, width / (share * image.shape[1]))
        while scale < 0.5:  # as the pyramid does
            half = image.shape[1] // 2, image.shape[0] // 2
            image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
            scale *= 2
        tall = scale * chance.uniform(0.92, 1.08)
        size = max(2, int(image.shape[1] * scale)), max(2, int(image.shape[0] * tall))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        if chance.random() < 0.5:
            image = image[:, ::-1]
        if chance.random() < 0.25:
            turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), chance.uniform(-25, 25), 1)
            turned = cv2.warpAffine(image, turn, size, borderMode=cv2.BORDER_REFLECT)
            image = np.asarray(turned, np.uint8)
        return image

    def _decoded(self) -> tuple[Image, float]:
        """Return any of the pictures; one that cannot be read is left out from then on."""
        while self._coded:
            at = self._chance.randrange(len(self._coded))
            coded, share = self._coded[at]
            decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR) if coded.size else None
            if decoded is not None:
                return np.asarray(decoded, np.uint8), share
            del self._coded[at]
        raise InputError("none of the pictures can be read", hint="name folders of face pictures")

    def _toned(self, image: Image) -> Image:
        """Change light, colours and sharpness."""
        chance, pixels = self._chance, image.astype(np.float32)
        if chance.random() < 0.8:
            pixels = pixels * chance.uniform(0.35, 1.25)
            if chance.random() < 0.6:
                tint = [chance.uniform(0.85, 1.15) for _ in range(3)]
                pixels = pixels * np.array(tint, np.float32)
            if chance.random() < 0.5:
                pixels = (pixels - 128) * chance.uniform(0.5, 1.2) + 128
        if chance.random() < 0.15:
            part = chance.uniform(0.3, 1)
            pixels = pixels * (1 - part) + pixels.mean(axis=2, keepdims=True) * part
        if chance.random() < 0.35:
            pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), chance.uniform(0.3, 1.3)))
        if chance.random() < 0.3:
            noise = self._noise.normal(0, chance.uniform(1, 7), pixels.shape)
            pixels = pixels + noise.astype(np.float32)
        return np.asarray(np.clip(pixels, 0, 255), np.uint8)


def train(collages: Collages, steps: int, seed: int) -> Proposer:
    """Learn what the P-net says."""
    torch.manual_seed(seed)
    net = Proposer()
    adam = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-4)
    with progress("steps", steps) as bar:
        for step in range(steps):
            rate = RATE * (0.5 * (1 + math.cos(math.pi * step / steps)) + 0.005)
            for group in adam.param_groups:
                group["lr"] = rate * min(1, (step + 1) / 50)
            pixels, score, offsets = collages.batch()
            with torch.autocast("cpu", torch.bfloat16):
                given = net(pixels.contiguous(memory_format=torch.channels_last))
            loss = _loss(given.float(), score, offsets)
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), 5)
            adam.step()
            bar.update(step + 1, f"loss {float(loss.detach()):.3f}")
    return net


def _loss(given: Tensor, score: Tensor, offsets: Tensor) -> Tensor:
    logit, faces = given[:, 0], (score > FACE).float()
    taken = torch.maximum(score, torch.sigmoid(logit.detach()))  # by either for a face
    weight = 0.15 + 2 * taken + 2 * faces
    wanted = score.clamp(5e-4, 1 - 5e-4)
    wrong = fn.binary_cross_entropy_with_logits(logit, wanted, reduction="none")
    off = fn.smooth_l1_loss(given[:, 1:], offsets, reduction="none", beta=0.1)
    beside: Tensor = (faces[:, None] * off).sum() / (4 * faces.sum() + 1)
    return 10 * (weight * wrong).mean() + beside


def model(net: Proposer) -> onnx.ModelProto:
    """Return the graph: ``image`` [n,3,h,w] BGR -> ``score`` [n,h',w'], ``box`` [n,4,h',w']."""
    graph = Graph("proposer", (3, "h", "w"))
    for i, (weight, bias) in enumerate(net.parts()):
        kernel, added = (t.detach().double().numpy() for t in (weight, bias))
        if i == 0:  # it learnt from normalised pixels
            added = added - PIXEL_MEAN * PIXEL_SCALE * kernel.sum(axis=(1, 2, 3))
            kernel = kernel * PIXEL_SCALE
        else:
            graph.add("Relu")
        graph.conv(kernel, added, stride=SHAPES[i][3])
    outputs(graph, {"score": ["h_out", "w_out"], "box": [4, "h_out", "w_out"]})
    return graph.model()


def write(net: Proposer, folder: Path, origin: dict[str, Any]) -> list[Path]:
    """Write the graph and what it was made of into ``folder``; returns their paths."""
    graph, teacher = model(net).SerializeToString(), (FOLDER / TEACHER).read_bytes()
    said = {
        "method": f"what {TEACHER} says of {WINDOW_PX}x{WINDOW_PX} windows, in a smaller network",
        **origin,
        "parameters": sum(p.numel() for p in net.parameters()),
        "teacher_sha256": hashlib.sha256(teacher).hexdigest(),
        "opset": OPSET,
        "made_with": {"onnx": onnx.__version__, "torch": str(torch.__version__)},
        "sha256": hashlib.sha256(graph).hexdigest(),
    }
    text = json.dumps(said, indent=2) + "\n"
    files = {"proposer.onnx": graph, "proposer.json": text.encode()}
    for name, data in files.items():
        write_atomic(folder / name, data)
    return [folder / name for name in files]


def _folder(given: str) -> tuple[Path, float]:
    path, _, share = given.rpartition(":")
    try:
        wide = float(share)
    except ValueError:
        wide = math.nan
    if not path or not 0 < wide <= 1:
        raise InputError(
            f"'{given}' is no folder with the share of its faces", hint="as in faces-train:.56"
        )
    return Path(path), wide


def main(argv: list[str]) -> int:
    """Train on the folders that ``argv`` names."""
    arguments = Arguments("export", USAGE)
    arguments.prog = "python -m sealshot.export.proposer"
    arguments.add_argument("folders", nargs="+")
    arguments.add_argument("-o", "--output", type=Path, required=True)
    arguments.add_argument("--count", type=positive_int, default=2600)
    arguments.add_argument("--steps", type=positive_int, default=6500)
    args = arguments.parse_args(argv)
    if not args.output.is_dir():
        raise InputError(f"there is no folder {args.output}", hint="make it, or name another")
    folders, seed = [_folder(given) for given in args.folders], 1
    net = train(Collages(folders, args.count, seed), args.steps, seed)
    origin = {
        "trained_on": [path.name for path, _ in folders],
        "steps": args.steps,
        "seed": seed,
    }
    for path in write(net, args.output, origin):
        say(str(path))
    return 0


if __name__ == "__main__":
    run_module(main)
