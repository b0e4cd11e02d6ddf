"""A head that treats groups of people alike: what it learnt of age and ethnicity is taken out.

Teachers that know what is usual say less of who is rare in their pictures. So the head learns once
more, the body stays as it is. Of labelled faces it is to say what it said, less what a regression
finds that their group loses with sharpness, size and light held equal; of the faces that the score
was trained on, what it said. Each face is there as it is and degraded, and what it loses by that is
to stay, but for tilt: of two pictures of one face, turned, the more level one is to be ahead. No
label is one of quality or of identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from sealshot.export.nets.student import Student
from sealshot.export.train.data import MIN_FACE_PX, FaceCrops, context_of, write_arrays
from sealshot.export.train.degrade import DEGRADATIONS, Grey, recut
from sealshot.export.train.frontality import roll_deg
from sealshot.export.train.people import IMAGES, Doubles, People, held_equal, read_people
from sealshot.runtime.cli.terminal import note, progress
from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.detect import open_detector
from sealshot.runtime.detect.subject import main_face
from sealshot.runtime.errors import InputError

WORSE = 2
"""Degraded copies of each face."""
HARSHEST = 0.7
"""Severity up to which they are degraded."""
MOST_FACES = 2000
"""Of each set that the score was trained on."""
STEPS, BATCH, LEARNING_RATE = 1000, 384, 1e-3
GAPS = 20.0
"""Weight of the gaps that are left, beside that of faces."""
TURNS_DEG = (-35, -20, -10, 0, 10, 20, 35)
LEAST_DEG = 6
"""Between two tilts of which one is to count as more."""
PER_DEGREE, TILT = 0.08, 3.0
"""Units of the score that a degree of tilt is to cost at least, and the weight of that."""
FILES = ("crops", "context", "width", "age", "sex", "ethnicity")


@dataclass(frozen=True, eq=False)
class Labelled:
    """Faces, and whom they show."""

    crops: NDArray[np.uint8]
    """``uint8 [n, 1, 64, 64]``."""
    context: NDArray[np.uint8]
    """``uint8 [n, 112, 112]``, see :class:`~sealshot.export.train.data.FaceCrops`."""
    width: NDArray[np.float32]
    """``float32 [n]``, pixels of the face in its picture."""
    people: People

    def save(self, path: Path) -> None:
        """Write to an ``.npz`` file, whole or not at all."""
        values = {**vars(self), **vars(self.people)}
        write_arrays(path, {name: values[name] for name in FILES})


def load_labelled(path: Path) -> Labelled:
    """Read a file that :meth:`Labelled.save` wrote.

    Raises:
        InputError: it is something else.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            crops, context, width, *people = (arrays[name] for name in FILES)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} holds no labelled faces: {error}", hint="delete it") from None
    return Labelled(crops, context, width, People(*people))


def cut_labelled(folder: Path) -> Labelled:
    """Cut the face that each picture of a list is of; see :func:`read_people`.

    Raises:
        InputError: there is no list, or no face.
    """
    names, people = read_people(folder)
    detector = open_detector("mtcnn", min_face_px=MIN_FACE_PX)
    found: list[tuple[int, Grey, Grey, float]] = []
    with progress("cutting faces", len(names)) as bar:
        for i, name in enumerate(names):
            bar.update(i)
            image = cv2.imread(str(folder / IMAGES / name), cv2.IMREAD_COLOR)
            if image is None:
                continue
            pixels = np.asarray(image, np.uint8)
            face = main_face(detector.detect(pixels), pixels.shape[1], pixels.shape[0])
            if face is not None:
                crop = crop_resize_grey(pixels, [face.box])[0]
                width = float((face.box[2:] - face.box[:2]).max())
                found.append((i, crop, context_of(pixels, face), width))
    if not found:
        raise InputError(f"no face was found in {folder}", hint="name a folder of face pictures")
    note(f"{len(found)} faces in {len(names)} pictures")
    which, crops, contexts, widths = zip(*found, strict=True)
    return Labelled(
        np.stack(crops),
        np.stack(contexts),
        np.asarray(widths, np.float32),
        people.of(np.array(which)),
    )


@dataclass(frozen=True, eq=False)
class Known:
    """Faces that the score was trained on."""

    context: NDArray[np.uint8]
    """``uint8 [n, 112, 112]``."""
    roll: NDArray[np.float64]
    """``[n]``, degrees; see :func:`~sealshot.export.train.frontality.roll_deg`."""


def draw_known(sets: Sequence[FaceCrops], seed: int) -> Known:
    """Draw at most :data:`MOST_FACES` of each set."""
    draw = np.random.default_rng(seed)
    of = [draw.permutation(len(faces.context))[:MOST_FACES] for faces in sets]
    return Known(
        np.concatenate([s.context[i] for s, i in zip(sets, of, strict=True)]),
        np.concatenate([roll_deg(s.landmarks[i]) for s, i in zip(sets, of, strict=True)]),
    )


@dataclass(frozen=True, eq=False)
class _Turned:
    """What a head sees of faces that are turned in the picture."""

    seen: Tensor
    """``[n, turns, 512]``."""
    tilt: Tensor
    """``[n, turns]``, degrees from level."""


@dataclass(frozen=True, eq=False)
class _Views:
    """What a head sees of faces, and what it is to say."""

    clean: Tensor
    """``[n, 512]``."""
    worse: Tensor
    """``[n, WORSE, 512]``."""
    wanted: Tensor
    """``[n]``, of the clean ones."""
    wanted_worse: Tensor
    """``[n, WORSE]``."""


def treat_alike(
    model: Student, labelled: Labelled, known: Known, seed: int
) -> dict[str, tuple[float, float]]:
    """Teach the head of a score to treat groups alike, in place.

    Args:
        model: the score.
        labelled: faces of groups.
        known: faces that the score was trained on.
        seed: of draws.

    Returns:
        For each group, the gap before and after in these faces, in units of the score's spread.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    factors = labelled.people.factors()
    design = _design(labelled)
    # rows that give the gaps of any score as it is linear: [factors, n]
    gaps = torch.from_numpy(np.linalg.pinv(design)[1 : 1 + len(factors)]).float()
    of_groups, of_all = (_views(model, f.context, rng) for f in (labelled, known))
    turned = _turned(model, known)
    before = gaps @ of_groups.wanted
    due = torch.from_numpy(design[:, 1 : 1 + len(factors)]).float() @ before
    of_groups = _Views(
        of_groups.clean,
        of_groups.worse,
        of_groups.wanted - due,
        of_groups.wanted_worse - due[:, None],
    )
    optimizer = torch.optim.Adam(model.head.parameters(), lr=LEARNING_RATE)
    with progress("training the head", STEPS) as bar:
        for step in range(STEPS):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * step / STEPS))
            loss = sum(_loss(model, views) for views in (of_groups, of_all))
            loss = loss + GAPS * (gaps @ model.head(of_groups.clean)[:, 0]).square().mean()
            loss = loss + TILT * _tilt_loss(model, turned)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            bar.update(step + 1)
    with torch.no_grad():
        scores = model.head(of_groups.clean)[:, 0]
    was, now = (before / (of_groups.wanted + due).std()).tolist(), (gaps @ scores / scores.std())
    return dict(zip(factors, zip(was, now.tolist(), strict=True), strict=True))


def _design(labelled: Labelled) -> Doubles:
    """What a regression takes: ``[n, 1 + factors + 6]``."""
    sharpness = np.array([cv2.Laplacian(c[0], cv2.CV_64F).var() for c in labelled.crops])
    controls = held_equal(labelled.crops, labelled.width, sharpness)
    factors = labelled.people.factors().values()
    return np.column_stack([np.ones(len(controls)), *factors, controls])


def _views(model: Student, contexts: NDArray[np.uint8], rng: np.random.Generator) -> _Views:
    worse = [
        DEGRADATIONS[rng.integers(len(DEGRADATIONS))](c, rng.uniform(0, HARSHEST), rng).crop
        for c in contexts
        for _ in range(WORSE)
    ]
    edge = (contexts.shape[-1] - worse[0].shape[-1]) // 2
    clean = contexts[:, edge:-edge, edge:-edge]
    seen, seen_worse = _seen(model, np.ascontiguousarray(clean)), _seen(model, np.stack(worse))
    with torch.no_grad():
        said, said_worse = (model.head(features)[:, 0] for features in (seen, seen_worse))
    shape = (len(contexts), WORSE)
    return _Views(seen, seen_worse.reshape(*shape, -1), said, said_worse.reshape(shape))


def _turned(model: Student, known: Known) -> _Turned:
    crops = np.stack([recut(c, deg, 1, 0, 0)[0] for c in known.context for deg in TURNS_DEG])
    seen = _seen(model, crops).reshape(len(known.context), len(TURNS_DEG), -1)
    tilt = np.abs(known.roll[:, None] - TURNS_DEG)  # the crop turns one way, the face the other
    return _Turned(seen, torch.from_numpy(tilt).float())


def _seen(model: Student, crops: NDArray[np.uint8]) -> Tensor:
    """Return what the head sees of crops ``uint8 [n, 64, 64]``: ``[n, 512]``."""
    parts = torch.split(torch.from_numpy(crops), 128)
    with torch.no_grad():
        return torch.cat([model.features(part[:, None]) for part in parts])


def _tilt_loss(model: Student, turned: _Turned) -> Tensor:
    chosen = torch.randint(len(turned.seen), (BATCH,))
    level, tilted = torch.randint(len(TURNS_DEG), (2, BATCH))
    more = turned.tilt[chosen, tilted] - turned.tilt[chosen, level]
    counts = more > LEAST_DEG
    chosen, level, tilted = chosen[counts], level[counts], tilted[counts]
    ahead = model.head(turned.seen[chosen, level]) - model.head(turned.seen[chosen, tilted])
    return torch.relu(PER_DEGREE * more[counts] - ahead[:, 0]).mean()


def _loss(model: Student, views: _Views) -> Tensor:
    chosen = torch.randint(len(views.clean), (BATCH,))
    copy = int(torch.randint(WORSE, ()))
    off = model.head(views.clean[chosen])[:, 0] - views.wanted[chosen]
    off_worse = model.head(views.worse[chosen, copy])[:, 0] - views.wanted_worse[chosen, copy]
    return torch.stack(
        [smooth_l1_loss(x, torch.zeros_like(x)) for x in (off, off_worse, off - off_worse)]
    ).sum()
