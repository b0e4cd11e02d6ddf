"""The model files that ship, and the manifests that describe them."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.errors import InputError

FOLDER = Path(__file__).parent
SCORES = {
    "quality": "one-pass student that also falls when the picture gets worse (default)",
    "rp": "reconstruction probability of the variational autoencoder, at the mean latent",
}
DEFAULT_SCORE = "quality"
DRAWING = FOLDER / "faces.onnx"
"""Draws faces of nobody."""


def score_graph(spec: str) -> Path:
    """Return the file of a score: the name of one that ships, or a path.

    Raises:
        InputError: it is neither.
    """
    if spec in SCORES:
        return FOLDER / f"{spec}.onnx"
    path = Path(spec)
    if not path.suffix:
        names = ", ".join(SCORES)
        raise InputError(
            f"there is no score '{spec}'", hint=f"use one of {names}, or a score graph FILE.onnx"
        )
    return path


def drawing_net(spec: str) -> Path:
    """Return the file of a net that draws faces: ``face`` is the one that ships, else a path."""
    return DRAWING if spec == "face" else Path(spec)
