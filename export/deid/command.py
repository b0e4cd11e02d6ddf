"""`sealshot train deid` and `sealshot export deid`: the net that draws faces of nobody."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sealshot.export.deid.plan import Plan
from sealshot.runtime.cli.arguments import Arguments, positive_int
from sealshot.runtime.cli.extras import needs
from sealshot.runtime.cli.terminal import note, say
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import make_folder

if TYPE_CHECKING:
    from sealshot.export.deid.training import Trained

UNDO = "undo.onnx"
WEIGHTS = (
    "reconstruction",
    "anonymity",
    "attributes",
    "points",
    "track",
    "diversity",
    "adversarial",
    "colours",
)
TRAIN = f"""
usage: sealshot train deid FACES... -o DIR [options]

Train the net that draws faces of nobody over covered ones (style `face`; UU-Net, Proença 2020) on
folders of face pictures, and write DIR/faces.onnx. The net sees of a person the means of 4x4 cells,
where eyes, nose and mouth are, and the labels that are to be kept; nothing is trained to bring the
person back. With --reversible it is the paper's, which sees all, and DIR/undo.onnx beside it undoes
its drawings (`sealshot restore --learned`). That pair keeps no secret: whoever has what draws can
train what undoes, and `sealshot bench deid --attack` does so.
{needs("export")}

Who is who stands in the column `identity` of FACES/faces.csv or of a label file; without both, each
folder of pictures is one person. Two critics learn that first; people they never saw tell how well.
Deceiving them proves nothing: what a face matcher still knows is for `sealshot bench deid` to say.

Stop it whenever you like: the same command goes on where it was. What is kept in DIR shows faces.

  -o DIR              where everything is written
  --labels FILE       CSV with the columns file, identity, Male, Young, ... (CelebA's), or sex, age,
                      ethnicity (UTKFace's); any of them; may be repeated
  --reversible        train the paper's pair in place of the net for release
  --weight NAME=X     of a loss: reconstruction (default 50), colours (10), attributes, points (0.4
                      each), track, diversity (0.3 each), adversarial (0.25), anonymity (0.2; the
                      paper's is 1); may be repeated
  --wasserstein       train D_f with the paper's gradient penalty, not with R1 and R2
  --pairwise          train the paper's critic too, which looks at pairs, and say how well it does
  --critic-steps N    (default 4000)
  --start FILE        begin with the nets of another operator.ckpt, with critics of as many steps,
                      and let D_f judge from the first step on
  --steps N           of the net that draws (default 20000)
  --batch N           faces a step of the net that draws (default 32)
  --seed N            of weights, order and noise (default 1)
  --device NAME       of PyTorch: cpu (default), cuda

example:
  sealshot train deid faces/ --labels attributes.csv -o deid/
"""
EXPORT = f"""
usage: sealshot export deid CHECKPOINT -o FILE.onnx

Write the net that draws faces, with its manifest, from the operator.ckpt of `sealshot train deid`,
finished or not; from a reversible one also what undoes it, as undo.onnx beside FILE.onnx.
{needs("export")}

example:
  sealshot export deid deid/operator.ckpt -o faces.onnx
"""


def train(argv: list[str]) -> int:
    """Run `sealshot train deid`."""
    arguments = Arguments("train deid", TRAIN)
    add = arguments.add_argument
    add("faces", nargs="+", type=Path)
    add("-o", dest="out", type=Path, required=True)
    add("--labels", type=Path, action="append", default=[])
    add("--critic-steps", type=positive_int)
    add("--start", type=Path)
    add("--steps", type=positive_int)
    add("--reversible", action="store_true")
    add("--weight", type=_weight, action="append", default=[])
    add("--wasserstein", action="store_true")
    add("--batch", type=positive_int)
    add("--pairwise", action="store_true")
    add("--seed", type=positive_int)
    add("--device", default="cpu")
    given = arguments.parse_args(argv)
    import torch

    from sealshot.export.deid.faces import cut_faces, load_faces
    from sealshot.export.deid.training import papers_critic
    from sealshot.export.deid.training import train as train_all

    try:
        torch.zeros(1, device=given.device)
    except Exception as error:  # PyTorch's own, of many kinds
        raise InputError(
            f"PyTorch has no device '{given.device}' here", hint="leave --device out"
        ) from error
    for folder in given.faces:
        if not folder.is_dir():
            raise InputError(f"there is no folder {folder}", hint="name a folder of face pictures")
    if given.start and not given.start.is_file():
        raise InputError(f"there is no file {given.start}", hint="check the path")
    make_folder(given.out, "name another with -o")
    kept = given.out / "faces.npz"
    if kept.exists():
        note(f"taking the faces cut before: {kept}")
    else:
        cut_faces(given.faces, given.labels).save(kept)
    chosen = {
        name: value
        for name in ("critic_steps", "steps", "batch", "seed", "reversible", "wasserstein")
        if (value := getattr(given, name)) is not None
    }
    if given.start:
        chosen["warm_up"] = 0.0  # those nets have met D_f
    plan = replace(Plan(), **chosen, **dict(given.weight))
    faces = load_faces(kept)
    if given.pairwise:
        auc = papers_critic(faces, plan, given.out, given.device)
        say(f"AUC of the paper's critic on people whom it never saw: {auc:.3f}")
    name = ", ".join(folder.resolve().name for folder in given.faces)
    trained = train_all(faces, plan, given.out, given.device, name, given.start)
    path = given.out / "faces.onnx"
    _write(trained, path)
    note(f"measure what it hides: sealshot bench deid FACES --recognizer FILE --drawn {path}")
    return 0


def export(argv: list[str]) -> int:
    """Run `sealshot export deid`."""
    arguments = Arguments("export deid", EXPORT)
    arguments.add_argument("checkpoint", type=Path)
    arguments.add_argument("-o", dest="out", type=Path, required=True)
    given = arguments.parse_args(argv)
    from sealshot.export.deid.export import load_trained

    if given.out.suffix != ".onnx":
        raise InputError(f"{given.out} is no name of a model", hint="let it end with .onnx")
    if not given.checkpoint.is_file():
        raise InputError(f"there is no file {given.checkpoint}", hint="check the path")
    _write(load_trained(given.checkpoint), given.out)
    return 0


def _write(trained: Trained, path: Path) -> None:
    """Write what draws, and beside it what undoes."""
    from sealshot.export.deid.export import export_drawing, export_undo

    drawing = export_drawing(trained, path)
    say(f"written: {path}, {drawing.parameters:,} parameters, {drawing.macs_per_face:,} MACs")
    if trained.undo:
        beside = path.with_name(UNDO)
        undo = export_undo(trained.undo, beside, trained.training_set, drawing.sha256)
        say(f"written: {beside}, {undo.parameters:,} parameters, {undo.macs_per_face:,} MACs")


def _weight(text: str) -> tuple[str, float]:
    """Read the weight of a loss, ``NAME=X``."""
    name, _, value = text.partition("=")
    try:
        weight = float(value)
    except ValueError:
        weight = -1.0
    if name not in WEIGHTS or not 0 <= weight < float("inf"):
        raise argparse.ArgumentTypeError(
            f"'{text}' is no weight: give NAME=X, X of 0 or more, NAME one of {', '.join(WEIGHTS)}"
        )
    return name, weight
