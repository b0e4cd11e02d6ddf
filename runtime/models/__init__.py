"""The model files that ship, and the manifests that describe them."""

from pathlib import Path

from sealshot.runtime.errors import InputError

FOLDER = Path(__file__).parent
SCORES = {
    "quality": "one-pass student of RP that also falls when the picture gets worse (default)",
    "rp": "reconstruction probability of the variational autoencoder, L = 10",
}
DEFAULT_SCORE = "quality"
PRECISIONS = ("fp32", "fp16", "int8")


def score_graph(spec: str) -> Path:
    """Return the file of a score: the name of one that ships, or the path of a graph or plan.

    Raises:
        InputError: it is neither.
    """
    if spec in SCORES:
        return FOLDER / f"{spec}.onnx"
    path = Path(spec)
    if path.suffix not in (".onnx", ".plan"):
        names = ", ".join(SCORES)
        raise InputError(
            f"there is no score '{spec}'", hint=f"use one of {names}, or a score graph FILE.onnx"
        )
    return path


def forms(model: Path) -> dict[str, Path]:
    """Return the files of a score graph by precision, the fullest first.

    Args:
        model: ``NAME.onnx``, which need not exist; beside it may lie ``NAME.fp16.onnx`` and
            ``NAME.int8.onnx``. One of those stands for itself alone.
    """
    own = model.stem.rpartition(".")[2]
    if own in PRECISIONS:
        return {own: model}
    lower = {p: model.with_name(f"{model.stem}.{p}{model.suffix}") for p in PRECISIONS[1:]}
    return {"fp32": model} | {p: file for p, file in lower.items() if file.is_file()}
