"""The JSON sidecar of a model file: what it is, where it came from, and what its scores mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.engines.identity import model_sha256
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.types import Floats

if TYPE_CHECKING:
    from typing_extensions import Self

REMEDY = "make both again with `sealshot train` or `sealshot export`, or copy both again"
FORMAT = 3
"""Of what is written: the core, and the part of the kind under its name. Version 0.1 wrote no
format, and all fields side by side; format 2 knew nothing of eyes."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What any model says about itself. Written beside ``NAME.onnx`` as ``NAME.json``."""

    KIND: ClassVar[str] = ""
    """Of graph; the part has its name in the file."""
    WAY: ClassVar[str] = REMEDY
    """What to do where the manifest is of another kind of graph, for people."""

    name: str
    """What the model is called, such as ``rp``."""
    sha256: str
    """Of all that the model is made of: :func:`~sealshot.runtime.engines.identity.model_sha256`."""
    architecture: str
    parameters: int
    precision: str
    """``fp32``, ``fp16`` or ``int8``; another one of an engine that has its own."""
    opset: int
    versions: dict[str, str] = field(default_factory=dict)
    """Tools that made the file."""
    calibration: dict[str, str] = field(default_factory=dict)
    """Of int8: recipe, method, set and its sha256; empty else."""

    def as_json(self) -> dict[str, Any]:
        """Return what the sidecar holds."""
        core = {f.name for f in fields(Manifest)}
        values = asdict(self)
        part = {name: values.pop(name) for name in list(values) if name not in core}
        return {"format": FORMAT, **values, **({self.KIND: part} if self.KIND else {})}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """Read what :meth:`as_json` gave, or version 0.1 wrote.

        Raises:
            NewerFormatError: a later version wrote it.
            OtherKindError: it is of another kind of graph.
            ValueError, TypeError, KeyError: it is no manifest.
        """
        raw = dict(raw)
        written = raw.pop("format", 1)
        if not isinstance(written, int) or written < 1:
            raise ValueError(f"{written!r} is no format")
        if written > FORMAT:
            raise NewerFormatError(written)
        if written > 1:
            known = {f.name for f in fields(Manifest)}
            parts = {name: raw.pop(name) for name in list(raw) if name not in known}
            if cls.KIND and cls.KIND not in parts and len(parts) == 1:
                raise OtherKindError(*parts)
            raw |= parts[cls.KIND] if cls.KIND else {}
        return cls(**cls._typed(raw))

    @classmethod
    def _typed(cls, raw: dict[str, Any]) -> dict[str, Any]:
        """Return fields out of JSON with the types that JSON has not."""
        return raw

    def write(self, model: Path) -> None:
        """Write the sidecar of ``model``."""
        write_atomic(sidecar(model), (json.dumps(self.as_json(), indent=1) + "\n").encode())


class NewerFormatError(ValueError):
    """A later version of sealshot wrote it."""

    def __init__(self, written: int) -> None:
        super().__init__(f"it is of format {written}, and this version reads up to {FORMAT}")


class OtherKindError(ValueError):
    """It describes a graph of another kind."""


@dataclass(frozen=True, kw_only=True)
class ScoreManifest(Manifest):
    """What a score graph says about itself."""

    KIND: ClassVar[str] = "score"
    WAY: ClassVar[str] = (
        "give a score: one that ships, as `sealshot show-env` lists them, or the FILE.onnx of "
        "`sealshot train` or `sealshot export`"
    )

    macs_per_face: int
    """Multiply-accumulates of one crop, all latent samples included."""
    samples: int
    """L, the latent samples of reconstruction probability; 0 where the score has none."""
    seed: int
    """Of the noise constants and of training."""
    training_set: str
    """Names of the sets, for people."""
    training_set_sha256: str
    """Of the crops, in order, as the training saw them."""
    score_quantiles: tuple[float, ...] = ()
    """Score at 0 %, 1 %, ... 100 % of the training set."""
    screen_margin: float | None = None
    """Of int8, in units of the score: among pairs of calibration crops, 99.9 % of the differences
    between the errors, fp32 less int8, of one and of the other are at most this. So far may a crop
    lie behind another by int8 and yet be better by fp32 (`engines/screen.py`). None: not known."""

    eyes_weight: float = 0.0
    """What the choice of a frame takes off for eyes that are less open than in another frame of the
    track, in units of the score for each factor e between the odds (`engines/heedful.py`); 0: it
    does not look at them."""
    smile_weight: float = 0.0
    """What it takes off, then, for a broader mouth than in another frame of the track, in units of
    the score for the way between the eyes (`engines/heedful.py`)."""
    turn_weight: float = 0.0
    """What it takes off, then, for a nose farther off the middle than in another frame of the
    track, in units of the score for the way from the eyes to the mouth (`engines/heedful.py`)."""

    def __post_init__(self) -> None:
        margin: object = self.screen_margin  # out of a file: it may be anything
        if not (margin is None or (isinstance(margin, int | float) and _is_margin(margin))):
            raise ValueError(f"screen_margin is {margin!r}, not a number of 0 or more")
        for name in ("eyes_weight", "smile_weight", "turn_weight"):
            weight: object = getattr(self, name)
            if not (isinstance(weight, int | float) and _is_margin(weight)):
                raise ValueError(f"{name} is {weight!r}, not a number of 0 or more")

    def percentile(self, score: float) -> float:
        """Return the share of the training set with a lower score, 0 to 100."""
        return float(np.interp(score, self.score_quantiles, np.linspace(0, 100, 101)))

    @classmethod
    def _typed(cls, raw: dict[str, Any]) -> dict[str, Any]:
        return {**raw, "score_quantiles": tuple(raw["score_quantiles"])}


@dataclass(frozen=True, kw_only=True)
class EyesManifest(Manifest):
    """What a network of the eyes says about itself."""

    KIND: ClassVar[str] = "eyes"

    macs_per_face: int
    """Multiply-accumulates of one crop."""
    seed: int
    """Of training."""
    training_set: str
    """Names of the sets, for people."""
    training_set_sha256: str
    """Of the crops, in order, as they were cut."""


def _is_margin(value: float) -> bool:
    return not isinstance(value, bool) and 0 <= value <= float(np.finfo(np.float32).max)


def quantiles(scores: Floats | Sequence[float]) -> tuple[float, ...]:
    """Return the 101 quantiles of a set of scores, as the manifest keeps them."""
    values: NDArray[np.float64] = np.quantile(np.asarray(scores, float), np.linspace(0, 1, 101))
    return tuple(round(float(v), 4) for v in values)


def sidecar(model: Path) -> Path:
    """Return the path of the manifest of ``model``."""
    return model.with_suffix(".json")


M = TypeVar("M", bound=Manifest)


def load_manifest(model: Path) -> ScoreManifest:
    """Read the manifest of a score graph and check that it belongs to it: :func:`read_manifest`.

    Raises:
        InputError: the model or its manifest is missing, malformed, or they do not match.
    """
    manifest = read_manifest(model, ScoreManifest)
    if len(manifest.score_quantiles) != 101:
        raise InputError(f"{sidecar(model)} does not hold 101 score quantiles", hint=REMEDY)
    return manifest


def read_manifest(model: Path, kind: type[M]) -> M:
    """Read the manifest of a model file and check that it belongs to all that the model is made of.

    Args:
        model: the model file.
        kind: :class:`Manifest` reads what all models have.

    Raises:
        InputError: the model, a side file or the manifest is missing, malformed or of a later
            version, or they do not match.
    """
    path = sidecar(model)
    if not model.is_file():
        raise InputError(f"there is no model file {model}", hint="check the path")
    try:
        manifest = kind.from_json(json.loads(path.read_text()))
    except FileNotFoundError:
        raise InputError(f"{model} has no manifest {path.name} beside it", hint=REMEDY) from None
    except NewerFormatError as error:
        raise InputError(f"{path} cannot be read: {error}", hint="update sealshot") from None
    except OtherKindError as error:
        raise InputError(
            f"{model} is a net of the kind '{error}', not of '{kind.KIND}'", hint=kind.WAY
        ) from None
    except KeyError as error:
        raise InputError(
            f"{path} is not a model manifest of sealshot: it says nothing of {error}", hint=kind.WAY
        ) from None
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a model manifest: {error}", hint=REMEDY) from None
    if model_sha256(model) != manifest.sha256:
        raise InputError(f"{model} is not the file that {path.name} describes", hint=REMEDY)
    return manifest
