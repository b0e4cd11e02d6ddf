"""The model files that ship, and the manifests that describe them."""

from pathlib import Path

from sealshot.runtime.errors import InputError

FOLDER = Path(__file__).parent
SCORES = {
    "quality": "one-pass student of RP that also falls when the picture gets worse (default)",
    "rp": "reconstruction probability of the variational autoencoder, L = 10",
}
DEFAULT_SCORE = "quality"


def score_graph(spec: str) -> Path:
    """Return the file of a score: the name of one that ships, or the path of a score graph.

    Raises:
        InputError: it is neither.
    """
    if spec in SCORES:
        return FOLDER / f"{spec}.onnx"
    path = Path(spec)
    if path.suffix != ".onnx":
        names = ", ".join(SCORES)
        raise InputError(
            f"there is no score '{spec}'", hint=f"use one of {names}, or a score graph FILE.onnx"
        )
    return path
