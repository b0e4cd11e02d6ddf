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
from sealshot.export.nets.student import Student
from sealshot.export.nets.vae import SAMPLES, RpPixels, RpScore
from sealshot.export.rebuild import load_graph
from sealshot.export.train.alike import MOST_FACES, cut_labelled, load_labelled, treat_alike
from sealshot.export.train.data import FaceCrops, cut_faces, load_crops, pictures_below
from sealshot.export.train.eyes import WEIGHT, train_eyes
from sealshot.export.train.quality import train_quality
from sealshot.export.train.rp import train_rp
from sealshot.export.train.schedules import Schedule
from sealshot.export.train.training import Losses
from sealshot.runtime.cli.terminal import note, say, table
from sealshot.runtime.engines.eyes import EYES, copy_eyes
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import make_folder, write_atomic
from sealshot.runtime.weights import score_graph


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
        if not _kept(folder, out).exists():
            pictures_below(folder)  # that one is missing is said before anything is made
    make_folder(out, "name another with -o")

    sets = [_faces(folder, out) for folder in data]
    crops = np.concatenate([faces.crops for faces in sets])
    origin = Origin(
        name="eyes",
        architecture="3 convolutions over the band of the eyes, taught by lids that are drawn",
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
        eyes_weight=WEIGHT,
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


def train_alike(score: str, groups: Path, data: Sequence[Path], out: Path, seed: int) -> None:
    """Teach the head of a score to treat groups alike, and write the score into a folder.

    Args:
        score: name of one that ships, or ``FILE.onnx``, whose network is that of `quality`.
        groups: labelled faces, see :func:`~sealshot.export.train.people.read_people`.
        data: folders of face pictures that the score was trained on.
        out: the folder, made if absent.
        seed: of draws.

    Raises:
        InputError: an input is missing or something else.
    """
    path = score_graph(score)
    manifest = load_manifest(path)
    model = load_graph(path, manifest)
    if not isinstance(model, Student):
        raise InputError(f"{score} has no head of its own", hint="name quality, or one like it")
    make_folder(out, "name another with -o")
    kept = _kept(groups, out)
    if kept.exists():
        note(f"taking the faces cut before: {kept}")
        labelled = load_labelled(kept)
    else:
        labelled = cut_labelled(groups)
        labelled.save(kept)
    sets = [_faces(folder, out) for folder in data]
    draw = np.random.default_rng(seed)
    contexts = [s.context[draw.permutation(len(s.context))[:MOST_FACES]] for s in sets]
    gaps = treat_alike(model, labelled, np.concatenate(contexts), seed)
    crops = np.concatenate([faces.crops for faces in sets])
    sha256 = hashlib.sha256(crops.tobytes() + labelled.crops.tobytes()).hexdigest()
    names = [*(name for faces in sets for name in faces.names), f"head: {groups.resolve().name}"]
    origin = Origin(
        name=manifest.name,
        architecture=manifest.architecture,
        seed=seed,
        training_set=", ".join(names),
        training_set_sha256=sha256,
        eyes_weight=manifest.eyes_weight,
    )
    export_score_graph(model, out / path.name, origin, crops)
    copy_eyes(path, manifest, out)
    table(
        ("group", ">gap before", ">gap now"),
        ((group, f"{was:.2f}", f"{now:.2f}") for group, (was, now) in gaps.items()),
    )
    say(f"written: {out / path.name}; these faces taught it, so judge it by others")


def _faces(folder: Path, out: Path) -> FaceCrops:
    """Cut the faces of a folder, or take those that were cut before."""
    kept = _kept(folder, out)
    if kept.exists():
        note(f"taking the faces cut before: {kept}")
        return load_crops(kept)
    return cut_faces(folder, kept)


def _kept(folder: Path, out: Path) -> Path:
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
