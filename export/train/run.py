"""What `sealshot train` does: cut the faces, train, export, draw the loss."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sealshot.export.nets.onnx_export import (
    Origin,
    export_eyes,
    export_score_graph,
    fold,
    to_onnx,
)
from sealshot.export.nets.vae import SAMPLES, RpPixels, RpScore
from sealshot.export.train.data import FaceCrops, cut_faces, load_crops, pictures_below
from sealshot.export.train.expression import EYES_WEIGHT, SMILE_WEIGHT, TURN_WEIGHT
from sealshot.export.train.eyes import train_eyes
from sealshot.export.train.quality import train_quality
from sealshot.export.train.rp import train_rp
from sealshot.export.train.schedules import Schedule
from sealshot.export.train.training import Losses
from sealshot.runtime.cli.terminal import note, say, table
from sealshot.runtime.engines.eyes import EYES
from sealshot.runtime.files import make_folder, write_atomic


def train(
    data: Sequence[Path],
    out: Path,
    for_rp: Schedule,
    for_quality: Schedule,
    for_eyes: Schedule,
    only_eyes: bool = False,
) -> None:
    """Train both scores and the network of the eyes, and write all into a folder, made if absent.

    Args:
        data: folders of face pictures.
        out: the folder.
        for_rp: schedule of the variational autoencoder; its seed is that of both.
        for_quality: schedule of the student.
        for_eyes: schedule of the network of the eyes.
        only_eyes: leave the scores out.

    Raises:
        InputError: a folder of pictures is missing or shows no face, or ``out`` holds something
            that does not belong to this training.
    """
    for folder in data:
        if not kept_file(folder, out).exists():
            pictures_below(folder)  # that one is missing is said before anything is made
    make_folder(out, "name another with -o")

    sets = [faces_of(folder, out) for folder in data]
    crops = np.concatenate([faces.crops for faces in sets])
    origin = Origin(
        name="eyes",
        architecture="3 convolutions over each eye, taught by lids that are drawn",
        seed=for_eyes.seed,
        training_set=", ".join(name for faces in sets for name in faces.names),
        training_set_sha256=hashlib.sha256(crops.tobytes()).hexdigest(),
    )
    eyes, eyes_losses = train_eyes(sets, for_eyes, out / "eyes.ckpt")
    export_eyes(eyes, out / EYES, origin)
    say(f"written: {out / EYES}; its held-out loss is {min(eyes_losses.validation):.4f}")
    if only_eyes:
        return
    origin = replace(
        origin,
        name="rp",
        architecture="VAE, 5 convolutions and 5 transposed convolutions, 128 latents",
        samples=SAMPLES,
        seed=for_rp.seed,
    )
    vae, rp_losses = train_rp(crops, for_rp, out / "rp.ckpt")
    rp = export_score_graph(RpScore(vae, for_rp.seed), out / "rp.onnx", origin, crops)
    pixels = to_onnx(fold(RpPixels(vae, for_rp.seed)), ["crops"], ["mu", "log_var"])
    write_atomic(out / "rp-pixels.onnx", pixels)

    student, quality_losses = train_quality(sets, vae, for_quality, out / "quality.ckpt")
    origin = replace(
        origin,
        name="quality",
        architecture="8 convolutions, taught by robustness, typicality, detail, pose, degradations",
        samples=0,
        eyes_weight=EYES_WEIGHT,
        smile_weight=SMILE_WEIGHT,
        turn_weight=TURN_WEIGHT,
    )
    quality = export_score_graph(student, out / "quality.onnx", origin, crops)

    plot({"rp": rp_losses, "quality": quality_losses, "eyes": eyes_losses}, out / "loss.svg")
    table(
        ("score", ">parameters", ">MACs a face", ">held-out loss"),
        (
            (m.name, f"{m.parameters:,}", f"{m.macs_per_face:,}", f"{min(loss.validation):.4f}")
            for m, loss in ((rp, rp_losses), (quality, quality_losses))
        ),
    )
    say(f"written: {out / 'rp.onnx'}, {out / 'quality.onnx'}, {out / 'loss.svg'}")


def faces_of(folder: Path, out: Path) -> FaceCrops:
    """Cut the faces of a folder, or take those that were cut before."""
    kept = kept_file(folder, out)
    if kept.exists():
        note(f"taking the faces cut before: {kept}")
        return load_crops(kept)
    return cut_faces(folder, kept)


def kept_file(folder: Path, out: Path) -> Path:
    """Return where the faces of a folder of pictures are kept in ``out``."""
    name = re.sub(r"\W+", "-", str(folder.resolve())).strip("-")
    return out / f"faces-{name}.npz"


def plot(losses: dict[str, Losses], path: Path) -> None:
    """Draw the losses of some models over the epochs, one panel each, as SVG."""
    figure = Figure(figsize=(4.5 * len(losses), 3.2), layout="constrained")
    panels: Sequence[object] = figure.subplots(1, len(losses), squeeze=False)[0]
    for axes, (name, loss) in zip(panels, losses.items(), strict=True):
        epochs = range(1, len(loss.train) + 1)
        axes.plot(epochs, loss.train, label="training")  # type: ignore[attr-defined]
        axes.plot(epochs, loss.validation, label="held out")  # type: ignore[attr-defined]
        axes.set(title=name, xlabel="epoch", ylabel="loss")  # type: ignore[attr-defined]
        axes.legend(frameon=False)  # type: ignore[attr-defined]
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    write_atomic(path, buffer.getvalue())
