"""Measures that run a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.measures.measure import Doubles
from sealshot.benchmarks.data.cache import file_sha256
from sealshot.benchmarks.data.faces import View
from sealshot.runtime.alignment import similarity
from sealshot.runtime.engines.eyes import BEHIND, ODDS
from sealshot.runtime.engines.heedful import ASIDE, BROAD, CALM, STRAIGHT, open_expression
from sealshot.runtime.engines.identity import model_sha256
from sealshot.runtime.engines.manifest import load_manifest, sidecar
from sealshot.runtime.engines.onnx_session import open_session
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Floats


class ScoreGraph:
    """Any ONNX file with the input ``crops`` uint8 [n,1,64,64] and one score a crop."""

    def __init__(self, name: str, path: Path, *, threads: int = 0, of_track: bool = False) -> None:
        """Open a score graph; ``of_track``: with what counts beside it where a frame is chosen.

        Raises:
            InputError: the file is missing or is no score graph, or its manifest does not match.
        """
        self.name = name
        self._session = _crops_session(path, threads)
        self._output = self._session.get_outputs()[0].name
        self.key = f"score graph {model_sha256(path)}"
        manifest = load_manifest(path) if sidecar(path).is_file() else None
        self.macs = manifest.macs_per_face if manifest else None
        self._expression = None
        if manifest and of_track:
            self._expression = open_expression(path, manifest, threads=threads)
        if manifest and self._expression:
            eyes = self._expression.eyes.manifest
            self.key += f" eyes {eyes.sha256} {manifest.eyes_weight} {ODDS} {BEHIND}"
            self.key += f" mouth {manifest.smile_weight} {CALM} {BROAD}"
            self.key += f" turn {manifest.turn_weight} {STRAIGHT} {ASIDE}"
            self.macs = manifest.macs_per_face + eyes.macs_per_face
        shape = self._run(np.zeros((1, 1, 64, 64), np.uint8)).shape
        if shape not in ((1,), (1, 1)):
            raise InputError(
                f"{path} is not a score graph: its output '{self._output}' is {list(shape)}, "
                "not one number a crop",
                hint="name a file whose first output is the score",
            )

    def rate(self, views: Sequence[View]) -> Doubles:
        """See :class:`Measure`."""
        scores = self._run(stack_crops(views)).reshape(len(views)).astype(float)
        if self._expression:
            seen = [self._expression.components(view.image(), [view.face]) for view in views]
            scores += np.concatenate(seen).sum(axis=1)
        return scores

    def _run(self, crops: NDArray[np.uint8]) -> Floats:
        (scores,) = self._session.run([self._output], {"crops": crops})
        return np.asarray(scores)


class Reconstruction:
    """Plain reconstruction error of a VAE, as with one fixed sigma: the less error, the better."""

    def __init__(self, name: str, path: Path, *, threads: int = 0) -> None:
        """Open a graph with the output ``mu`` [n, ..., 4096], pixels from 0 to 1.

        Raises:
            InputError: the file is missing, or has no such output.
        """
        self.name = name
        self._session = _crops_session(path, threads)
        self.key = f"reconstruction {model_sha256(path)}"
        self.macs = load_manifest(path).macs_per_face if sidecar(path).is_file() else None
        if "mu" not in [output.name for output in self._session.get_outputs()]:
            raise InputError(
                f"{path} has no output `mu`",
                hint="give the form of the score graph that ends at `mu` and `log_var`",
            )

    def rate(self, views: Sequence[View]) -> Doubles:
        """See :class:`Measure`; minus the squared error, mean over latent samples, summed."""
        crops = stack_crops(views)
        (mu,) = self._session.run(["mu"], {"crops": crops})
        x = crops.reshape(len(crops), 1, -1) / 255.0
        error = np.square(x - np.asarray(mu, float).reshape(len(crops), -1, x.shape[-1]))
        return -np.asarray(error.sum(axis=-1).mean(axis=-1), float)


class LightQNet:
    """LightQNet (Chen et al. 2021): a quality network taught by a face recogniser.

    Input: 96x96, BGR, ``(p - 128) / 128``, aligned by both eyes and the middle of the mouth.
    """

    SIDE_PX = 96
    POINTS = np.array([[0.3419, 0.4616], [0.6565, 0.4598], [0.5012, 0.8240]]) * SIDE_PX

    def __init__(self, name: str, path: Path) -> None:
        """Open one of its TensorFlow files.

        Raises:
            InputError: the file is missing, or OpenCV cannot load it.
        """
        self.name = name
        self.key = f"lightqnet 2 {file_sha256(path)}"
        self._net = _read_tensorflow(path)
        # counted on a copy: OpenCV 5.0 gives other scores once inner layers were asked for
        self.macs: int | None = _count_macs(
            _read_tensorflow(path), (1, 3, self.SIDE_PX, self.SIDE_PX)
        )

    def rate(self, views: Sequence[View]) -> Doubles:
        """See :class:`Measure`."""
        faces = []
        for view in views:
            left, right, _, *mouth = view.face.landmarks
            points = np.stack([left, right, np.mean(mouth, axis=0)])
            matrix = similarity(points, self.POINTS)
            faces.append(cv2.warpAffine(view.image(), matrix, (self.SIDE_PX, self.SIDE_PX)))
        # [n, 3, 96, 96]
        batch = (np.stack(faces).astype(np.float32).transpose(0, 3, 1, 2) - 128) / 128
        self._net.setInput(batch)
        return np.asarray(self._net.forward(), float).reshape(len(views))


def stack_crops(views: Sequence[View]) -> NDArray[np.uint8]:
    """Return the crops as a graph takes them: ``uint8 [n, 1, 64, 64]``."""
    return np.stack([view.crop for view in views])[:, None]


def _crops_session(path: Path, threads: int) -> ort.InferenceSession:
    session = open_session(path, threads=threads)
    inputs = session.get_inputs()
    if [i.name for i in inputs] != ["crops"] or inputs[0].type != "tensor(uint8)":
        raise InputError(
            f"{path} does not take one input, `crops` uint8 [n,1,64,64]",
            hint="name a score graph that `sealshot train` or `sealshot export` wrote",
        )
    return session


def _read_tensorflow(path: Path) -> cv2.dnn.Net:
    # OpenCV 5 has two engines; the older one also tells the layers, which count the MACs
    engine: dict[str, Any] = {}
    if hasattr(cv2.dnn, "ENGINE_CLASSIC"):
        engine["engine"] = cv2.dnn.ENGINE_CLASSIC
    try:
        net: cv2.dnn.Net = cv2.dnn.readNetFromTensorflow(str(path), **engine)
        if net.empty():
            raise ValueError("it holds no layer")
    except (cv2.error, ValueError) as error:
        raise InputError(
            f"{path} is not a network that OpenCV can load: {error}",
            hint="give one of LightQNet's .pb files",
        ) from error
    return net


def _count_macs(net: cv2.dnn.Net, shape: tuple[int, ...]) -> int:
    """Count multiply-accumulates of convolutions and dense layers: weights times positions."""
    layers = [(name, net.getLayer(net.getLayerId(name))) for name in net.getLayerNames()]
    dense = [
        (name, layer) for name, layer in layers if layer.type in ("Convolution", "InnerProduct")
    ]
    net.setInput(np.zeros(shape, np.float32))
    outputs = net.forward([name for name, _ in dense])
    return sum(
        int(np.prod(output.shape[2:])) * int(layer.blobs[0].size)
        for (_, layer), output in zip(dense, outputs, strict=True)
    )
