"""Training data: aligned faces in the colours of video, who they are and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.export.deid.labels import labels_of, read_labels
from sealshot.export.train.data import pictures_below
from sealshot.runtime.cli.terminal import note, progress
from sealshot.runtime.detect import Detector, open_detector
from sealshot.runtime.detect.subject import main_face
from sealshot.runtime.errors import InputError
from sealshot.runtime.public.placing import LANDMARKS, SIDE_PX, placing
from sealshot.runtime.types import Floats

MIN_FACE_PX = 24
ROOM_PX = 4
"""Cut around the square that a net sees, so that it can be shifted."""


@dataclass(frozen=True, eq=False)
class DeidFaces:
    """Faces of a training set."""

    crops: NDArray[np.uint8]
    """``uint8 [n, 3, 72, 72]``: Y, U, V of limited range (BT.601), aligned."""
    landmarks: Floats
    """``float32 [n, 5, 2]``, pixels of the inner 64x64."""
    identity: NDArray[np.int64]
    """``[n]``, from 0; -1 where nobody knows."""
    labels: NDArray[np.int8]
    """``[n, len(ATTRIBUTES)]``: 0, 1, or -1 where nobody knows."""

    def save(self, path: Path) -> None:
        """Write to an ``.npz`` file."""
        part = path.with_suffix(".part.npz")
        np.savez(part, **vars(self))
        part.chmod(0o600)
        part.replace(path)


def load_faces(path: Path) -> DeidFaces:
    """Read what :meth:`DeidFaces.save` wrote.

    Raises:
        InputError: it is something else.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return DeidFaces(**{name: arrays[name] for name in DeidFaces.__dataclass_fields__})
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} does not hold faces: {error}", hint="delete it") from None


def cut_faces(folders: Sequence[Path], labels: Sequence[Path]) -> DeidFaces:
    """Find, align and cut the face that each picture is of.

    Who somebody is stands in a column ``identity`` of a label file or of a ``faces.csv`` in the
    folder; without these each folder of pictures is one person.

    Args:
        folders: of pictures.
        labels: CSV files with a column ``file`` (a name without its folder) and any of ``identity``
            and :data:`ATTRIBUTES`.

    Raises:
        InputError: a folder or file is missing, or there is no face in any picture.
    """
    find = open_detector("mtcnn", min_face_px=MIN_FACE_PX)
    crops: list[NDArray[np.uint8]] = []
    points: list[Floats] = []
    people, said = [], []
    for folder in folders:
        own = [folder / "faces.csv"] if (folder / "faces.csv").is_file() else []
        known = read_labels([*own, *labels])
        pictures = pictures_below(folder)
        with progress("cutting faces", len(pictures)) as bar:
            for i, path in enumerate(pictures):
                bar.update(i, f"{len(crops)} faces")
                cut = _cut(path, find)
                if cut is None:
                    continue
                row = known.get(path.name, {"identity": path.parent.name} if not known else {})
                crops.append(cut[0])
                points.append(cut[1])
                people.append(row.get("identity", ""))
                said.append(labels_of(row))
    if not crops:
        raise InputError("no face was found", hint="name folders of face pictures")
    numbers = {name: i for i, name in enumerate(sorted({p for p in people if p}))}
    note(f"{len(crops)} faces of {len(numbers)} people")
    return DeidFaces(
        np.stack(crops),
        np.stack(points),
        np.array([numbers.get(person, -1) for person in people]),
        np.array(said, np.int8),
    )


def _cut(path: Path, find: Detector) -> tuple[NDArray[np.uint8], Floats] | None:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        return None
    face = main_face(find.detect(np.asarray(image, np.uint8)), image.shape[1], image.shape[0])
    if face is None:
        return None
    to_square = placing(face.landmarks)
    landmarks = (np.c_[face.landmarks, np.ones(LANDMARKS)] @ to_square.T).astype(np.float32)
    to_square[:, 2] += ROOM_PX
    side, shrink = SIDE_PX + 2 * ROOM_PX, max(1.0, 1 / np.hypot(*to_square[:, 0]))
    fine = round(side * shrink)  # sampled finely, then averaged
    cut = cv2.warpAffine(
        image, to_square * (fine / side), (fine, fine), borderMode=cv2.BORDER_REPLICATE
    )
    cut = cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)
    return limited_yuv(np.asarray(cut, np.uint8)), landmarks


def limited_yuv(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return BGR ``[h, w, 3]`` as Y, U, V ``[3, h, w]`` of limited range, BT.601."""
    red, green, blue = (image[..., i].astype(np.float32) for i in (2, 1, 0))
    luma = 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255
    u = 128 + (-37.797 * red - 74.203 * green + 112.0 * blue) / 255
    v = 128 + (112.0 * red - 93.786 * green - 18.214 * blue) / 255
    return np.asarray(np.clip(np.rint([luma, u, v]), 0, 255), np.uint8)
