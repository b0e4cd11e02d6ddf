"""`sealshot bench deid`: what a face matcher still makes of covered faces.

Each picture is scaled until its face has a given width, covered as the public stream covers it, and
given to the matcher at the landmarks of the face as it was, so that a matcher that could not find
the face any more has it handed over. Three questions:

- Is the covered picture taken for the very picture it was made of (at a false match rate, with the
  threshold of plain pictures)?
- Does a plain picture of a person come nearer to the covered ones of that person than to those of
  others (AUC .5: it does not)?
- The same for somebody who covers the plain pictures too, and compares covered with covered
  ("parrot recognition", Newton, Sweeney, Malin 2005, doi 10.1109/TKDE.2005.32).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.erc.curve import start_at_fmr
from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.data.cache import open_cache
from sealshot.benchmarks.data.dataset import read_folder
from sealshot.benchmarks.data.faces import MIN_FACE_PX, Faces, batches, find_faces
from sealshot.benchmarks.data.matcher import Matcher
from sealshot.runtime.cli.arguments import Arguments, output_file
from sealshot.runtime.cli.terminal import progress, say_json, table
from sealshot.runtime.detect import Detector, open_detector
from sealshot.runtime.detect.boxes import iou
from sealshot.runtime.public.cover import STYLES, Style, around, cover
from sealshot.runtime.public.painter import DRAWN_OVER, Painter
from sealshot.runtime.types import Face, Floats, Image

WIDTHS_PX = (32, 64, 128)
FMR = 1e-3
BATCH = 64
MOST_SAME, LEAST_AUC, MOST_AUC = 0.01, 0.45, 0.57
"""The bar of recognition; an AUC far below .5 tells who it is too."""

USAGE = f"""
usage: sealshot bench deid FACES --recognizer FILE.onnx [options]

Cover the faces of FACES (a folder a person) as `sealshot deidentify` does, at widths of
{", ".join(map(str, WIDTHS_PX))} px, and measure what a face matcher still makes of them, and
whether MTCNN still finds a face there. A drawn face hides where it matches its own picture at most
as often as {100 * MOST_SAME:g} in 100 times and its AUC is between {LEAST_AUC} and {MOST_AUC}.

  --recognizer FILE   the matcher, as for `sealshot erc`
  --drawn FILE.onnx   measure style face too: faces drawn by this net over the blur
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of a table

example:
  sealshot bench deid celeba-dev/ --recognizer mobilefacenet.onnx -o deid.json
"""


@dataclass(frozen=True)
class Row:
    """One style at one width of face."""

    style: str
    """``plain`` for pictures that are only scaled."""
    face_px: int
    same_picture: float
    """Share of covered pictures that match the picture they were made of."""
    auc: float
    """Plain against covered: genuine (another picture of the person) against impostor."""
    auc_parrot: float
    """Covered against covered."""
    d_prime: float
    """Of plain against covered: how far genuine and impostor distances lie apart, in deviations."""
    found: float
    """Share of covered pictures in which MTCNN finds the face where it was."""
    confidence: float
    """Its mean confidence in those; 0 where there is none."""

    @property
    def hides(self) -> bool:
        """Whether the style passes the bar of recognition at this width."""
        return self.same_picture <= MOST_SAME and LEAST_AUC <= self.auc <= MOST_AUC


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("bench deid", USAGE)
    arguments.add_argument("faces", type=Path)
    arguments.add_argument("--recognizer", type=Path, required=True)
    arguments.add_argument("--drawn", type=Path)
    arguments.add_argument("-o", "--output", type=output_file)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    matcher = Matcher(given.recognizer)
    painter = Painter(given.drawn) if given.drawn else None
    pictures = read_folder(given.faces)
    faces = find_faces(pictures, "mtcnn", open_cache(None))
    rows = evaluate(faces, matcher, painter)
    people = len(set(faces.person().tolist()))
    fields = {
        "faces": given.faces.name,
        "pictures": len(faces),
        "people": people,
        "matcher": matcher.sha256,
        "fmr": FMR,
        "drawn": painter.manifest.sha256 if painter else None,
        "rows": [asdict(row) | {"hides": row.hides} for row in rows],
        "environment": asdict(environment()),
    }
    if given.output:
        write_result(given.output, fields)
    if given.json:
        say_json(fields)
    else:
        table(
            (
                "style",
                ">face px",
                ">same picture",
                ">AUC",
                ">d'",
                ">AUC parrot",
                ">MTCNN finds",
                ">confidence",
                "hides",
            ),
            (
                (
                    row.style,
                    str(row.face_px),
                    f"{100 * row.same_picture:.1f} %",
                    f"{row.auc:.3f}",
                    f"{row.d_prime:.2f}",
                    f"{row.auc_parrot:.3f}",
                    f"{100 * row.found:.0f} %",
                    f"{row.confidence:.2f}",
                    "yes" if row.hides else "NO",
                )
                for row in rows
            ),
            title=f"{len(faces)} pictures of {people} people, {matcher.name}, FMR {FMR}",
        )
    return 0


def evaluate(faces: Faces, matcher: Matcher, painter: Painter | None = None) -> list[Row]:
    """Measure all styles at all widths; style ``face`` where there is somebody who paints."""
    plain, _ = _embed(faces, matcher, None, None, None, None)
    person = faces.person()
    same = person[:, None] == person[None]
    other = ~np.eye(len(faces), dtype=bool)
    limit = start_at_fmr(_distances(plain, plain)[np.triu(~same)], FMR).threshold
    find = open_detector("mtcnn", min_face_px=MIN_FACE_PX)
    styles: list[tuple[str, Style | None, Painter | None]] = [("plain", None, None)]
    styles += [(style, style, None) for style in STYLES]
    styles += [("face", DRAWN_OVER, painter)] if painter else []
    rows = []
    with progress("covering", len(styles) * len(WIDTHS_PX)) as bar:
        for name, style, drawing in styles:
            for width in WIDTHS_PX:
                covered, scores = _embed(faces, matcher, style, width, drawing, find)
                across, parrot = _distances(plain, covered), _distances(covered, covered)
                genuine, impostor = across[same & other], across[~same]
                rows.append(
                    Row(
                        name,
                        width,
                        float(np.mean(np.diagonal(across) <= limit)),
                        auc(genuine, impostor),
                        auc(parrot[same & other], parrot[~same]),
                        d_prime(genuine, impostor),
                        float(np.mean(scores > 0)),
                        float(scores[scores > 0].mean()) if (scores > 0).any() else 0.0,
                    )
                )
                bar.update(len(rows))
    return rows


def d_prime(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> float:
    """Return the distance of two means over the root of the mean variance."""
    spread = np.sqrt((genuine.var() + impostor.var()) / 2)
    return float(abs(genuine.mean() - impostor.mean()) / spread) if spread else 0.0


def auc(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> float:
    """Return how often a genuine distance is below an impostor's; a tie counts half."""
    ordered = np.sort(impostor)
    above = len(ordered) - np.searchsorted(ordered, genuine, "right")
    ties = np.searchsorted(ordered, genuine, "right") - np.searchsorted(ordered, genuine, "left")
    return float(np.mean(above + ties / 2) / len(ordered))


def _embed(
    faces: Faces,
    matcher: Matcher,
    style: Style | None,
    width: int | None,
    painter: Painter | None,
    find: Detector | None,
) -> tuple[Floats, Floats]:
    """Return the embeddings ``[n, d]`` of all faces, scaled and covered, and how sure a detector is
    of each, ``[n]``; 0 where it finds none."""
    parts, scores = [], []
    for batch in batches(len(faces), BATCH):
        aligned = []
        for index in batch:
            view = faces.view(index)
            image, face = view.image(), view.face
            if width is not None:
                scale = np.float32(width / float(face.box[2] - face.box[0]))
                image = _scaled(image, float(scale))
                face = Face(face.box * scale, face.score, face.landmarks * scale)
            if style is not None:
                image = covered_image(image, face, style, painter, index)
            aligned.append(matcher.align(image, face.landmarks))
            there = find.detect(image) if find else ()
            scores.append(
                max((f.score for f in there if iou(f.box[None], face.box[None]) > 0.5), default=0)
            )
        parts.append(matcher.embed(aligned))
    return np.concatenate(parts), np.asarray(scores, np.float32)


def covered_image(
    image: Image, face: Face, style: Style, painter: Painter | None = None, track: int = 0
) -> Image:
    """Return a picture with one face covered, by way of its 4:2:0 planes as in a video."""
    height, width = (side // 2 * 2 for side in image.shape[:2])
    stacked = cv2.cvtColor(np.ascontiguousarray(image[:height, :width]), cv2.COLOR_BGR2YUV_I420)
    halves = np.asarray(stacked[height:], np.uint8).reshape(2, height // 2, width // 2)
    luma = np.asarray(stacked[:height], np.uint8)
    plain = (luma, halves[0], halves[1])
    planes = cover(plain, [around(face.box)], style)
    if painter:
        painter.paint(plain, planes, [(track, Face(face.box, 1.0, face.landmarks))])
    again = np.concatenate([planes[0].ravel(), planes[1].ravel(), planes[2].ravel()])
    whole = cv2.cvtColor(again.reshape(stacked.shape), cv2.COLOR_YUV2BGR_I420)
    return np.asarray(whole, np.uint8)


def _scaled(image: Image, scale: float) -> Image:
    height, width = (max(2, round(side * scale)) for side in image.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


def _distances(left: Floats, right: Floats) -> NDArray[np.float64]:
    """Return the Euclidean distances of unit vectors, ``[n, m]``."""
    cosine = np.clip(left.astype(np.float64) @ right.T.astype(np.float64), -1, 1)
    return np.asarray(np.sqrt(2 - 2 * cosine), np.float64)
