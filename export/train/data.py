"""Training data: the face crops of a folder of pictures, cut as the camera cuts them."""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.export.train.align import align
from sealshot.export.train.robustness import Looker
from sealshot.runtime.alignment import sample, upright
from sealshot.runtime.cli.terminal import note, progress
from sealshot.runtime.crops import CROP_PX, crop_resize_grey, cut, square
from sealshot.runtime.detect import Detector, open_detector
from sealshot.runtime.detect.subject import main_face
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.types import Face, Floats, Image

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
MIN_FACE_PX = 24
SAVE_S = 300.0
"""Between two times at which what was cut so far is written down."""
CONTEXT_PX = 112
"""Side of the context: the face square with 3/8 of its side around, at the scale of the crop."""
EYES_PX = 96
"""Side of what is around the eyes: room for lids, and for strokes where there are none."""


@dataclass(frozen=True, eq=False)
class FaceCrops:
    """Face crops and what the detector said of each."""

    names: tuple[str, ...]
    """The sets' folder names."""
    crops: NDArray[np.uint8]
    """``uint8 [n, 1, 64, 64]``."""
    context: NDArray[np.uint8]
    """``uint8 [n, 112, 112]``, grey: the crop and what is around it."""
    robustness: NDArray[np.float32]
    """``float32 [n, 4]``, see :class:`~sealshot.export.train.robustness.Look`."""
    features: NDArray[np.float32]
    """``float32 [n, 1152]``, see :class:`~sealshot.export.train.robustness.Look`."""
    aligned: NDArray[np.uint8]
    """``uint8 [n, 32, 32]``, see :func:`~sealshot.export.train.align.align`."""
    landmarks: NDArray[np.float32]
    """``float32 [n, 5, 2]``, as in :class:`~sealshot.runtime.types.Face`."""
    eyes: NDArray[np.uint8]
    """``uint8 [n, 96, 96]``, grey: what is around the eyes, upright and as large as the network of
    the eyes sees it."""

    @property
    def sha256(self) -> str:
        """Hash of the crops, in order."""
        return hashlib.sha256(self.crops.tobytes()).hexdigest()

    @property
    def eye_landmarks(self) -> NDArray[np.float32]:
        """``float32 [n, 5, 2]``: the landmarks in pixels of :attr:`eyes`."""
        maps = np.stack([_around_eyes(face) for face in self.landmarks])
        turned = np.einsum("nij,npj->npi", maps[:, :, :2], self.landmarks)
        return np.asarray(turned + maps[:, None, :, 2], np.float32)

    def save(self, path: Path) -> None:
        """Write to an ``.npz`` file, whole or not at all."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        write_arrays(path, {"names": np.array(self.names), **arrays})


ARRAYS = ("crops", "context", "robustness", "features", "aligned", "landmarks", "eyes")
Row = tuple[NDArray[Any], ...]
"""One face, an array of each of ``ARRAYS``."""
UNREADABLE, FACELESS, FOUND = 0, 1, 2
NO_ROWS = [np.empty(0)] * len(ARRAYS)


def load_crops(path: Path) -> FaceCrops:
    """Read an ``.npz`` file that :meth:`FaceCrops.save` wrote.

    Raises:
        InputError: it is something else.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            faces = FaceCrops(tuple(map(str, arrays["names"])), *(arrays[k] for k in ARRAYS))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} does not hold face crops: {error}", hint="delete it") from None
    if faces.crops.shape[1:] != (1, CROP_PX, CROP_PX) or faces.crops.dtype != np.uint8:
        raise InputError(f"{path} does not hold uint8 crops of 64x64", hint="delete it")
    return faces


def pictures_below(folder: Path, hint: str = "name a folder of face pictures") -> list[Path]:
    """Return the pictures in a folder and the folders in it, sorted.

    Raises:
        InputError: there is no such folder, or no picture in it; ``hint`` says what to do.
    """
    if not folder.is_dir():
        what = f"{folder} is no folder" if folder.exists() else f"there is no folder {folder}"
        raise InputError(what, hint=hint)
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if not found:
        kinds = ", ".join(sorted(PICTURES))
        raise InputError(f"there is no picture ({kinds}) in {folder} and below", hint=hint)
    return found


def cut_faces(folder: Path, kept: Path) -> FaceCrops:
    """Find the face that each picture below a folder is of, cut its crop, and keep all in a file.

    Pictures that cannot be read or show no face are counted and said. Stopped, by Ctrl-C or
    whatever, it goes on where it was: what is done lies beside ``kept``, and is written every
    five minutes and when it is interrupted.

    Args:
        folder: of pictures.
        kept: the ``.npz`` file.

    Raises:
        InputError: there is no such folder, no face was found at all, or what lies beside ``kept``
            is something else.
    """
    pictures = pictures_below(folder)
    unfinished = kept.with_suffix(".unfinished.npz")
    seen = _load_seen(unfinished)
    if seen:
        note(f"going on with the faces cut before: {len(seen)} of {len(pictures)} pictures")
    try:
        _cut(folder, pictures, seen, unfinished)
    except KeyboardInterrupt:
        _save_seen(seen, unfinished)
        note(f"{len(seen)} of {len(pictures)} pictures are kept: the same command goes on there")
        raise
    states = [seen[_name(folder, path)] for path in pictures]
    rows = [row for row in states if isinstance(row, tuple)]
    if not rows:
        raise InputError(
            f"no face was found in {len(pictures)} pictures", hint="name a folder of face pictures"
        )
    note(
        f"{len(rows)} faces in {len(pictures)} pictures; {states.count(UNREADABLE)} could not be "
        f"read, {states.count(FACELESS)} show no face"
    )
    columns = (np.stack(column) for column in zip(*rows, strict=True))
    faces = FaceCrops((folder.resolve().name,), *columns)
    faces.save(kept)
    unfinished.unlink(missing_ok=True)
    return faces


Seen = dict[str, Row | int]
"""Path of a picture below its folder -> its face, or why it has none."""


def _cut(folder: Path, pictures: list[Path], seen: Seen, unfinished: Path) -> None:
    """Cut what was not seen yet, in order."""
    find = open_detector("mtcnn", min_face_px=MIN_FACE_PX)
    looker = Looker()
    faces = sum(isinstance(state, tuple) for state in seen.values())
    due = time.monotonic() + SAVE_S
    with progress("cutting faces", len(pictures)) as bar:
        for i, path in enumerate(pictures):
            bar.update(i, f"{faces} faces")
            name = _name(folder, path)
            if name in seen:
                continue
            seen[name] = state = _look(path, find, looker)
            faces += isinstance(state, tuple)
            if time.monotonic() >= due:
                _save_seen(seen, unfinished)
                due = time.monotonic() + SAVE_S


def _look(path: Path, find: Detector, looker: Looker) -> Row | int:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        return UNREADABLE
    pixels = np.asarray(image, np.uint8)
    face = main_face(find.detect(pixels), pixels.shape[1], pixels.shape[0])
    if face is None:
        return FACELESS
    look = looker.look(pixels, face.box)
    return (
        crop_resize_grey(pixels, [face.box])[0],
        context_of(pixels, face),
        look.robustness,
        look.features,
        align(pixels, face.landmarks),
        face.landmarks,
        sample(pixels, _around_eyes(face.landmarks), EYES_PX, EYES_PX),
    )


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _save_seen(seen: Seen, path: Path) -> None:
    rows = [row for row in seen.values() if isinstance(row, tuple)]
    columns = [np.stack(column) for column in zip(*rows, strict=True)] if rows else NO_ROWS
    states = [FOUND if isinstance(state, tuple) else state for state in seen.values()]
    write_arrays(
        path,
        {
            "seen": np.array(list(seen), np.str_),
            "state": np.array(states, np.uint8),
            **dict(zip(ARRAYS, columns, strict=True)),
        },
    )


def _load_seen(path: Path) -> Seen:
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names, states = arrays["seen"].tolist(), arrays["state"].tolist()
            rows = zip(*(arrays[k] for k in ARRAYS), strict=True)
            return {
                name: tuple(next(rows)) if state == FOUND else int(state)
                for name, state in zip(names, states, strict=True)
            }
    except (OSError, ValueError, KeyError, StopIteration, zipfile.BadZipFile) as error:
        raise InputError(f"{path} does not hold face crops: {error}", hint="delete it") from None


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an ``.npz`` file that its owner alone may read: faces are in it."""
    out = io.BytesIO()
    np.savez(out, **dict(arrays))  # type: ignore[arg-type]
    write_atomic(path, out.getvalue(), mode=0o600)


def _around_eyes(landmarks: Floats) -> NDArray[np.float64]:
    """The map from a picture to :attr:`FaceCrops.eyes`, ``[2, 3]``."""
    to_eyes = upright(landmarks)
    to_eyes[:, 2] += (EYES_PX - 1) / 2
    return to_eyes


def context_of(image: Image, face: Face) -> NDArray[np.uint8]:
    """Cut the context of a face: see :attr:`FaceCrops.context`."""
    grey = cv2.cvtColor(cut(image, *square(face.box, 3 / 8)), cv2.COLOR_BGR2GRAY)
    shrink = len(grey) > CONTEXT_PX
    return np.asarray(
        cv2.resize(
            grey,
            (CONTEXT_PX, CONTEXT_PX),
            interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR,
        ),
        np.uint8,
    )
