"""Training data: the face crops of a folder of pictures, cut as the camera cuts them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.export.train.align import align
from sealshot.export.train.robustness import Looker
from sealshot.runtime.cli.terminal import note, progress
from sealshot.runtime.crops import CROP_PX, crop_resize_grey, cut, square
from sealshot.runtime.detect import open_detector
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Image

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
MIN_FACE_PX = 24
CONTEXT_PX = 112
"""Side of the context: the face square with 3/8 of its side around, at the scale of the crop."""


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

    @property
    def sha256(self) -> str:
        """Hash of the crops, in order."""
        return hashlib.sha256(self.crops.tobytes()).hexdigest()

    def save(self, path: Path) -> None:
        """Write to an ``.npz`` file."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        np.savez_compressed(path, names=np.array(self.names), **arrays)


ARRAYS = ("crops", "context", "robustness", "features", "aligned", "landmarks")


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
        InputError: there is no such folder; ``hint`` says what to do.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", hint=hint)
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)


def cut_faces(folders: list[Path], detector: str = "mtcnn") -> FaceCrops:
    """Find the most central large face of every picture below the folders, and cut its crop.

    Pictures that cannot be read or show no face are counted and said.

    Raises:
        InputError: a folder is missing, or no face was found at all.
    """
    pictures = [path for folder in folders for path in pictures_below(folder)]
    find = open_detector(detector, min_face_px=MIN_FACE_PX)
    looker = Looker()
    rows: list[tuple[NDArray[Any], ...]] = []
    unread = 0
    with progress("cutting faces", len(pictures)) as bar:
        for i, path in enumerate(pictures):
            bar.update(i, f"{len(rows)} faces")
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                unread += 1
                continue
            pixels = np.asarray(image, np.uint8)
            if found := find.detect(pixels):
                face = _subject(found, pixels.shape[1], pixels.shape[0])
                look = looker.look(pixels, face.box)
                rows.append(
                    (
                        crop_resize_grey(pixels, [face.box])[0],
                        _context(pixels, face),
                        look.robustness,
                        look.features,
                        align(pixels, face.landmarks),
                        face.landmarks,
                    )
                )
    if not rows:
        raise InputError(
            f"no face was found in {len(pictures)} pictures", hint="name a folder of face pictures"
        )
    note(
        f"{len(rows)} faces in {len(pictures)} pictures; {unread} could not be read, "
        f"{len(pictures) - unread - len(rows)} show no face"
    )
    names = tuple(f.resolve().name for f in folders)
    return FaceCrops(names, *(np.stack(column) for column in zip(*rows, strict=True)))


def _context(image: Image, face: Face) -> NDArray[np.uint8]:
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


def _subject(faces: list[Face], width: int, height: int) -> Face:
    """The face that the picture is of: large and near the middle."""

    def weight(face: Face) -> float:
        x0, y0, x1, y1 = face.box
        off = np.hypot((x0 + x1 - width) / width, (y0 + y1 - height) / height) / 2
        return float((x1 - x0) * (y1 - y0) * (1 - off))

    return max(faces, key=weight)
