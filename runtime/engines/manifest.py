"""The JSON sidecar of a model file: what it is, where it came from, and what its scores mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.types import Floats

REMEDY = "export the model again with `sealshot train`, or copy both files again"


@dataclass(frozen=True)
class Manifest:
    """What a score graph says about itself. Written beside ``NAME.onnx`` as ``NAME.json``."""

    name: str
    """What the score is called: ``rp`` or another."""
    sha256: str
    """Of the ONNX file."""
    architecture: str
    parameters: int
    macs_per_face: int
    """Multiply-accumulates of one crop, all latent samples included."""
    precision: str
    """``fp32``, ``fp16`` or ``int8``."""
    samples: int
    """L, the latent samples of reconstruction probability; 0 where the score has none."""
    seed: int
    """Of the noise constants and of training."""
    training_set: str
    """Names of the sets, for people."""
    training_set_sha256: str
    """Of the crops, in order, as the training saw them."""
    opset: int
    versions: dict[str, str] = field(default_factory=dict)
    """Tools that made the file."""
    score_quantiles: tuple[float, ...] = ()
    """Score at 0 %, 1 %, ... 100 % of the training set."""
    calibration: dict[str, str] = field(default_factory=dict)
    """Of int8: recipe, method, set and its sha256; empty else."""
    screen_margin: float | None = None
    """Of int8, in units of the score: among pairs of calibration crops, 99.9 % of the differences
    between the errors, fp32 less int8, of one and of the other are at most this. So far may a crop
    lie behind another by int8 and yet be better by fp32 (`engines/screen.py`). None: not known."""

    def __post_init__(self) -> None:
        margin: object = self.screen_margin  # out of a file: it may be anything
        if not (margin is None or (isinstance(margin, int | float) and _is_margin(margin))):
            raise ValueError(f"screen_margin is {margin!r}, not a number of 0 or more")

    def percentile(self, score: float) -> float:
        """Return the share of the training set with a lower score, 0 to 100."""
        return float(np.interp(score, self.score_quantiles, np.linspace(0, 100, 101)))

    def write(self, model: Path) -> None:
        """Write the sidecar of ``model``."""
        write_atomic(sidecar(model), (json.dumps(asdict(self), indent=1) + "\n").encode())


def _is_margin(value: float) -> bool:
    return not isinstance(value, bool) and 0 <= value <= float(np.finfo(np.float32).max)


def quantiles(scores: Floats | Sequence[float]) -> tuple[float, ...]:
    """Return the 101 quantiles of a set of scores, as the manifest keeps them."""
    values: NDArray[np.float64] = np.quantile(np.asarray(scores, float), np.linspace(0, 1, 101))
    return tuple(round(float(v), 4) for v in values)


def sidecar(model: Path) -> Path:
    """Return the path of the manifest of ``model``."""
    return model.with_suffix(".json")


def load_manifest(model: Path) -> Manifest:
    """Read the manifest of a model file and check that it belongs to it.

    Raises:
        InputError: the model or its manifest is missing, malformed, or they do not match.
    """
    path = sidecar(model)
    if not model.is_file():
        raise InputError(f"there is no model file {model}", hint="check the path")
    try:
        fields = json.loads(path.read_text())
        manifest = Manifest(**{**fields, "score_quantiles": tuple(fields["score_quantiles"])})
    except FileNotFoundError:
        raise InputError(f"{model} has no manifest {path.name} beside it", hint=REMEDY) from None
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is not a model manifest: {error}", hint=REMEDY) from None
    if len(manifest.score_quantiles) != 101:
        raise InputError(f"{path} does not hold 101 score quantiles", hint=REMEDY)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    if digest != manifest.sha256:
        raise InputError(f"{model} is not the file that {path.name} describes", hint=REMEDY)
    return manifest
