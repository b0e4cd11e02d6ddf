"""`sealshot train`: from folders of face pictures to the score graphs `rp` and `quality`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from sealshot.export.nets.onnx_export import Origin, export_score_graph, fold, to_onnx
from sealshot.export.nets.vae import SAMPLES, RpPixels, RpScore
from sealshot.export.train.data import FaceCrops, cut_faces, load_crops, pictures_below
from sealshot.export.train.quality import SCHEDULE as QUALITY_SCHEDULE
from sealshot.export.train.quality import train_quality
from sealshot.export.train.rp import SCHEDULE as RP_SCHEDULE
from sealshot.export.train.rp import train_rp
from sealshot.export.train.training import Losses
from sealshot.runtime.cli.arguments import Arguments, positive_int
from sealshot.runtime.cli.terminal import note, say, table
from sealshot.runtime.files import make_folder, write_atomic

USAGE = f"""
usage: sealshot train DATA... -o DIR [options]

Train the two scores on folders of face pictures and write DIR/rp.onnx and DIR/quality.onnx, each
with its manifest, DIR/rp-pixels.onnx (rp up to the Gaussians of the pixels, for engines that do the
likelihood themselves) and DIR/loss.svg. No labels are read. The folders are standardised one by
one, so give sharp and soft pictures as separate folders.

Stop it whenever you like: the same command goes on where it was. The cut faces and the state of the
training are kept in DIR; they show faces.

  -o DIR              where everything is written
  --rp-epochs N       of the variational autoencoder (default {RP_SCHEDULE.epochs})
  --quality-epochs N  of the student (default {QUALITY_SCHEDULE.epochs})
  --seed N            of weights, order and noise (default {RP_SCHEDULE.seed})
  --threads N         (default: one a core)

example:
  sealshot train faces-sharp/ faces-soft/ -o trained/
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("train", USAGE)
    arguments.add_argument("data", nargs="+", type=Path)
    arguments.add_argument("-o", dest="out", type=Path, required=True)
    arguments.add_argument("--rp-epochs", type=positive_int, default=RP_SCHEDULE.epochs)
    arguments.add_argument("--quality-epochs", type=positive_int, default=QUALITY_SCHEDULE.epochs)
    arguments.add_argument("--seed", type=positive_int, default=RP_SCHEDULE.seed)
    arguments.add_argument("--threads", type=positive_int)
    given = arguments.parse_args(argv)
    if given.threads:
        torch.set_num_threads(given.threads)
    out: Path = given.out
    for folder in given.data:
        if not _kept(folder, out).exists():
            pictures_below(folder)  # that one is missing is said before anything is made
    make_folder(out, "name another with -o")

    sets = [_faces(folder, out) for folder in given.data]
    crops = np.concatenate([faces.crops for faces in sets])
    origin = Origin(
        name="rp",
        architecture="VAE, 5 convolutions and 5 transposed convolutions, 128 latents",
        samples=SAMPLES,
        seed=given.seed,
        training_set=", ".join(name for faces in sets for name in faces.names),
        training_set_sha256=hashlib.sha256(crops.tobytes()).hexdigest(),
    )
    schedule = replace(RP_SCHEDULE, epochs=given.rp_epochs, seed=given.seed)
    vae, rp_losses = train_rp(crops, schedule, out / "rp.ckpt")
    rp = export_score_graph(RpScore(vae, given.seed), out / "rp.onnx", origin, crops)
    pixels = to_onnx(fold(RpPixels(vae, given.seed)), ["crops"], ["mu", "log_var"])
    write_atomic(out / "rp-pixels.onnx", pixels)

    schedule = replace(QUALITY_SCHEDULE, epochs=given.quality_epochs, seed=given.seed)
    student, quality_losses = train_quality(sets, vae, schedule, out / "quality.ckpt")
    origin = replace(
        origin,
        name="quality",
        architecture="8 convolutions, taught by robustness, typicality, detail, pose, degradations",
        samples=0,
    )
    quality = export_score_graph(student, out / "quality.onnx", origin, crops)

    plot({"rp": rp_losses, "quality": quality_losses}, out / "loss.svg")
    table(
        ("score", ">parameters", ">MACs a face", ">held-out loss"),
        (
            (m.name, f"{m.parameters:,}", f"{m.macs_per_face:,}", f"{min(loss.validation):.4f}")
            for m, loss in ((rp, rp_losses), (quality, quality_losses))
        ),
    )
    say(f"written: {out / 'rp.onnx'}, {out / 'quality.onnx'}, {out / 'loss.svg'}")
    return 0


def _faces(folder: Path, out: Path) -> FaceCrops:
    """Cut the faces of a folder, or take those that were cut before."""
    kept = _kept(folder, out)
    if kept.exists():
        note(f"taking the faces cut before: {kept}")
        return load_crops(kept)
    faces = cut_faces([folder])
    faces.save(kept)
    return faces


def _kept(folder: Path, out: Path) -> Path:
    name = re.sub(r"\W+", "-", str(folder.resolve())).strip("-")
    return out / f"faces-{name}.npz"


def plot(losses: dict[str, Losses], path: Path) -> None:
    """Draw the losses of some models over the epochs, one panel each, as SVG."""
    import io

    from matplotlib.figure import Figure

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
