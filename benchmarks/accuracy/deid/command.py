"""`sealshot bench deid`: what covered and drawn faces hide, and what they keep."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sealshot.benchmarks.accuracy.deid.drawn import Drawn, measure, probe_of, watch
from sealshot.benchmarks.accuracy.deid.learned import Undone, undone
from sealshot.benchmarks.accuracy.deid.pictures import FACE_PX
from sealshot.benchmarks.accuracy.deid.recognition import (
    FMR,
    LEAST_AUC,
    MOST_AUC,
    MOST_SAME,
    PLAIN,
    WIDTHS_PX,
    Row,
    evaluate,
    judge_of,
)
from sealshot.benchmarks.accuracy.deid.sheets import write_sheets
from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.data.cache import open_cache
from sealshot.benchmarks.data.dataset import read_folder
from sealshot.benchmarks.data.faces import find_faces
from sealshot.benchmarks.data.matcher import Matcher
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.extras import needs
from sealshot.runtime.cli.terminal import note, say_json, table
from sealshot.runtime.errors import InputError
from sealshot.runtime.public.painter import Painter
from sealshot.runtime.public.undo import Undoer
from sealshot.runtime.weights import drawing_net

ATTACK_STEPS = 1000
SEED = {
    "AUC x-a": ".568-.570",
    "d' x-a": ".155-.162",
    "MTCNN: AP of that of x": "89-93 %",
    "MTCNN: confidence less": "2-4 %",
    "MTCNN: Pearson": ".01-.03",
    "KS p within a track": "< 1e-8",
    "sudden changes": "< 15 %",
    "d' between tracks of a person": ".33-.49",
    "diversity": "-",
    "pose off, rad": ".14-.18 / .10-.12 / .02",
}
"""The paper's figures, on people and with matchers of its own."""

USAGE = f"""
usage: sealshot bench deid FACES --recognizer FILE.onnx [options]

Cover the faces of FACES (a folder a person) as `sealshot deidentify` does, at widths of
{", ".join(map(str, WIDTHS_PX))} px, and measure what a face matcher still makes of them, and
whether MTCNN still finds a face there. A drawn face hides where it matches its own picture at most
as often as {100 * MOST_SAME:g} in 100 times and its AUC is between {LEAST_AUC} and {MOST_AUC}.
Beside them stand, at {FACE_PX} px, fewer pixels, superpixels, and where `deface` is installed its
blur, mosaic and solid, as its command has them.

With --drawn also what drawn faces keep, beside the figures of UU-Net's paper: the person within a
track, none between two tracks, pose, labels. With --undo and --attack how much of a person nets
bring back: the paper's U_d, and one that an outsider trains with what draws and photos of his own.
{needs("bench")} --attack needs PyTorch, too.

  --recognizer FILE   the matcher, as for `sealshot erc`; it must have had no part in the training
  --drawn NET         measure style face too: faces drawn over the blur by the net that ships
                      (face), or by FILE.onnx
  --probe OTHERS      judge labels, too, by what the matcher sees of these labelled people; may be
                      repeated
  --labels FILE       what is known of FACES and OTHERS, as for `sealshot train deid`; may be
                      repeated
  --undo FILE.onnx    a net that undoes what --drawn draws
  --attack PHOTOS     train an outsider's on this folder of face pictures
  --attack-steps N    of 16 pictures each (default {ATTACK_STEPS})
  --sheets DIR        write contact sheets, which show people and only you may read, and with
                      --drawn what lies behind the figures: confidence, distances, tracks
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of tables

example:
  sealshot bench deid celeba-dev/ --recognizer mobilefacenet.onnx --drawn face -o deid.json
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("bench deid", USAGE)
    add = arguments.add_argument
    add("faces", type=Path)
    add("--recognizer", type=Path, required=True)
    add("--drawn", type=drawing_net)
    add("--probe", type=Path, action="append", default=[])
    add("--labels", type=Path, action="append", default=[])
    add("--undo", type=Path)
    add("--attack", type=Path)
    add("--attack-steps", type=positive_int, default=ATTACK_STEPS)
    add("--sheets", type=Path)
    add("-o", "--output", type=output_file)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    if not given.drawn and (given.undo or given.attack or given.probe):
        arguments.error("--probe, --undo and --attack go with --drawn")
    if bool(given.probe) != bool(given.labels):
        arguments.error("--probe and --labels go together")
    if given.attack and not given.attack.is_dir():
        raise InputError(f"there is no folder {given.attack}", hint="name a folder of photos")
    if given.sheets:  # matplotlib is an extra: that it is missing is said before the work
        from sealshot.benchmarks.accuracy.deid.plots import draw_plots
    matcher = Matcher(given.recognizer)
    painter = Painter(given.drawn) if given.drawn else None
    undoers = {"U_d": Undoer(given.undo)} if given.undo else {}
    if painter and given.undo and undoers["U_d"].manifest.undoes != painter.manifest.sha256:
        raise InputError(
            f"{given.undo} was trained to undo another net than {given.drawn}",
            hint="give the two files of one training",
        )
    cache = open_cache(None)
    faces = find_faces(read_folder(given.faces), "mtcnn", cache)
    probe = probe_of(given.probe, given.labels, matcher, cache) if given.probe else None
    judge = judge_of(faces, matcher)
    if painter and given.attack:
        undoers["outsider"] = _outsider(painter, given.attack, given.attack_steps)
    rows = evaluate(judge, painter)
    seen = watch(judge, given.drawn) if given.drawn else None
    drawn = measure(judge, seen, given.drawn, probe) if seen else None
    ways = undone(judge, painter, undoers) if painter and undoers else []
    people = len(set(faces.person().tolist()))
    fields = {
        "faces": given.faces.name,
        "pictures": len(faces),
        "people": people,
        "matcher": matcher.sha256,
        "fmr": FMR,
        "drawn": painter.manifest.sha256 if painter else None,
        "rows": [asdict(row) | {"hides": row.hides} for row in rows],
        "keeps": asdict(drawn) if drawn else None,
        "undone": [asdict(way) for way in ways],
        "environment": asdict(environment()),
    }
    if given.sheets:
        for path in write_sheets(given.sheets, judge, given.drawn, undoers):
            note(f"written, readable by you only: {path}")
        if seen:
            draw_plots(judge, seen, given.sheets)
    if given.output:
        write_result(given.output, fields)
    if given.json:
        say_json(fields)
        return 0
    _tell_rows(rows, f"{len(faces)} pictures of {people} people, {matcher.name}, FMR {FMR}")
    if drawn:
        _tell_drawn(rows, drawn)
    if ways:
        _tell_undone(ways)
    return 0


def _outsider(painter: Painter, photos: Path, steps: int) -> Undoer:
    from sealshot.export.deid.attack import train_outsider
    from sealshot.export.deid.export import export_undo
    from sealshot.export.deid.faces import cut_faces

    undo = train_outsider(painter, cut_faces([photos], []), steps)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "undo.onnx"
        export_undo(undo, path, photos.resolve().name, painter.manifest.sha256)
        return Undoer(path)


def _tell_rows(rows: Sequence[Row], title: str) -> None:
    columns = (
        "style",
        ">face px",
        ">same picture",
        ">AUC",
        ">d'",
        ">AUC parrot",
        ">MTCNN finds",
        ">confidence",
        ">AP",
        ">Pearson",
        "hides",
    )
    cells = (
        (
            row.style,
            str(row.face_px),
            f"{100 * row.same_picture:.1f} %",
            f"{row.auc:.3f}",
            f"{row.d_prime:.2f}",
            f"{row.auc_parrot:.3f}",
            f"{100 * row.found:.0f} %",
            f"{row.confidence:.2f}",
            f"{row.average_precision:.2f}",
            "-" if row.pearson is None else f"{row.pearson:.2f}",
            "yes" if row.hides else "NO",
        )
        for row in rows
    )
    table(columns, cells, title=title)


def _tell_drawn(rows: Sequence[Row], drawn: Drawn) -> None:
    of = {row.style: row for row in rows if row.face_px == FACE_PX}
    plain, face = of[PLAIN], of["face"]
    pose = drawn.pose_rad
    ours = {
        "AUC x-a": f"{face.auc:.3f}",
        "d' x-a": f"{face.d_prime:.3f}",
        "MTCNN: AP of that of x": f"{100 * face.average_precision / plain.average_precision:.0f} %"
        if plain.average_precision
        else "-",
        "MTCNN: confidence less": f"{100 * (plain.confidence - face.confidence):.1f} %"
        if face.found
        else "-",
        "MTCNN: Pearson": "-" if face.pearson is None else f"{face.pearson:.2f}",
        "KS p within a track": f"{drawn.ks_p:.1g}",
        "sudden changes": f"{100 * drawn.sudden:.1f} %",
        "d' between tracks of a person": f"{drawn.d_prime_tracks:.2f}",
        "diversity": f"{drawn.diversity:.2f}",
        "pose off, rad": " / ".join(f"{angle:.3f}" for angle in pose) if pose else "-",
    }
    cells = [(name, SEED[name], value) for name, value in ours.items()]
    table(("drawn faces", ">UU-Net's paper", ">here"), cells, title=f"faces of {FACE_PX} px")
    if drawn.labels:
        table(
            ("label", ">plain", ">kept", ">turned"),
            (
                (one.name, *(f"{value:.2f}" for value in (one.plain, one.kept, one.turned)))
                for one in drawn.labels
            ),
            title="labels that are as they are said to be (paper: gender .80-.89, hair .59-.66)",
        )


def _tell_undone(ways: Sequence[Undone]) -> None:
    table(
        ("undone by", "after", ">PSNR dB", ">match"),
        (
            (
                way.by,
                "no loss" if way.crf is None else f"H.264 CRF {way.crf}",
                f"{way.psnr_db:.1f}",
                f"{100 * way.match:.1f} %",
            )
            for way in ways
        ),
        title="the learned way back is no lock: the outsider had what draws, and his own photos",
    )
