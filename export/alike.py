"""`sealshot train alike`: a score whose head treats groups of people alike, and minds tilt."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sealshot.export.train.schedules import QUALITY
from sealshot.runtime.cli.arguments import Arguments, positive_int
from sealshot.runtime.cli.extras import needs
from sealshot.runtime.cli.terminal import note, say, table
from sealshot.runtime.engines.eyes import copy_eyes
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import make_folder
from sealshot.runtime.weights import score_graph

USAGE = f"""
usage: sealshot train alike SCORE --groups GROUPS DATA... -o DIR

Teach the head of a score (quality, or a FILE.onnx like it) to treat groups of people alike and to
prefer a level face to a tilted one, and write the score into DIR. GROUPS is a folder with faces.csv
(columns file,age,sex,ethnicity; age in years) and its files in images/, DATA are the folders that
the score was trained on: of those it says what it said. No identity is read, and no label says what
a picture is worth.
{needs("export")}

  --groups DIR        labelled faces; judge the score by others (`sealshot erc groups`)
  -o DIR              where everything is written; the cut faces that are kept there show faces
  --seed N            of draws (default {QUALITY.seed})
  --threads N         (default: one a core)

example:
  sealshot train alike trained/quality.onnx --groups groups/ faces-sharp/ faces-soft/ -o alike/
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("train alike", USAGE)
    arguments.add_argument("score")
    arguments.add_argument("data", nargs="+", type=Path)
    arguments.add_argument("--groups", type=Path, required=True)
    arguments.add_argument("-o", dest="out", type=Path, required=True)
    arguments.add_argument("--seed", type=positive_int, default=QUALITY.seed)
    arguments.add_argument("--threads", type=positive_int)
    given = arguments.parse_args(argv)
    import torch

    if given.threads:
        torch.set_num_threads(given.threads)
    train_alike(given.score, given.groups, given.data, given.out, given.seed)
    return 0


def train_alike(score: str, groups: Path, data: Sequence[Path], out: Path, seed: int) -> None:
    """Teach the head of a score to treat groups alike and to mind tilt, and write the score.

    Args:
        score: name of one that ships, or ``FILE.onnx``, whose network is that of `quality`.
        groups: labelled faces, see :func:`~sealshot.export.train.people.read_people`.
        data: folders of face pictures that the score was trained on.
        out: the folder, made if absent.
        seed: of draws.

    Raises:
        InputError: an input is missing or something else.
    """
    # torch and onnx are an extra
    from sealshot.export.nets.onnx_export import Origin, export_score_graph
    from sealshot.export.nets.student import Student
    from sealshot.export.rebuild import load_graph
    from sealshot.export.train.alike import cut_labelled, draw_known, load_labelled, treat_alike
    from sealshot.export.train.run import faces_of, kept_file

    path = score_graph(score)
    manifest = load_manifest(path)
    model = load_graph(path, manifest)
    if not isinstance(model, Student):
        raise InputError(f"{score} has no head of its own", hint="name quality, or one like it")
    make_folder(out, "name another with -o")
    kept = kept_file(groups, out)
    if kept.exists():
        note(f"taking the faces cut before: {kept}")
        labelled = load_labelled(kept)
    else:
        labelled = cut_labelled(groups)
        labelled.save(kept)
    sets = [faces_of(folder, out) for folder in data]
    gaps = treat_alike(model, labelled, draw_known(sets, seed), seed)
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
        smile_weight=manifest.smile_weight,
        turn_weight=manifest.turn_weight,
    )
    export_score_graph(model, out / path.name, origin, crops)
    copy_eyes(path, manifest, out)
    table(
        ("group", ">gap before", ">gap now"),
        ((group, f"{was:.2f}", f"{now:.2f}") for group, (was, now) in gaps.items()),
    )
    say(f"written: {out / path.name}; these faces taught it, so judge it by others")
