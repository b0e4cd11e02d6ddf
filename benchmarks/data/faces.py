"""The face of each picture of a data set, and what a matcher makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.data.cache import Cache, file_sha256, key
from sealshot.benchmarks.data.dataset import Pictures
from sealshot.benchmarks.data.matcher import Matcher
from sealshot.runtime import crops, detect
from sealshot.runtime.cli.terminal import progress
from sealshot.runtime.crops import CROP_PX, crop_resize_grey
from sealshot.runtime.detect import open_detector
from sealshot.runtime.detect.subject import main_face
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Floats, Image
from sealshot.runtime.weights import FOLDER

MIN_FACE_PX = 20
BATCH = 16


@dataclass(frozen=True, eq=False)
class View:
    """One face in one picture: what a quality measure looks at."""

    image: Callable[[], Image]
    """Gives the picture, ``uint8 [h, w, 3]`` BGR; read from disk on each call."""
    face: Face
    crop: NDArray[np.uint8]
    """``uint8 [64, 64]``: what the score graph sees."""


def view_of(image: Image, face: Face) -> View:
    """Return a face of a picture ``uint8 [h, w, 3]`` BGR that is at hand."""
    return View(lambda: image, face, crop_resize_grey(image, [face.box])[0, 0])


@dataclass(frozen=True, eq=False)
class Faces:
    """The faces found in a data set; pictures without one are named, never dropped silently."""

    pictures: Pictures
    picture: NDArray[np.int64]
    """``[n]``: the picture that each face is in."""
    box: Floats
    """``[n, 4]``, pixels."""
    landmarks: Floats
    """``[n, 5, 2]``, pixels."""
    confidence: Floats
    """``[n]``, of the detector."""
    crops: NDArray[np.uint8]
    """``[n, 64, 64]``."""
    unreadable: tuple[str, ...]
    """Files that hold no picture."""
    faceless: tuple[str, ...]
    """Pictures in which the detector found no face."""
    key: str
    """Changes when anything of this would."""

    def __len__(self) -> int:
        return len(self.picture)

    def view(self, index: int) -> View:
        """Return one face."""
        picture = int(self.picture[index])
        face = Face(self.box[index], float(self.confidence[index]), self.landmarks[index])
        return View(lambda: _present(self.pictures, picture), face, self.crops[index])

    def person(self) -> NDArray[np.str_]:
        """Return whom each face belongs to, ``[n]``."""
        return np.array(self.pictures.person, dtype=np.str_)[self.picture]


def find_faces(pictures: Pictures, detector: str, cache: Cache, *, threads: int = 0) -> Faces:
    """Find the central, large face of each picture.

    Args:
        pictures: the data set.
        detector: as ``--detector`` takes it: ``mtcnn`` or ``yunet:FILE``.
        cache: where the result is kept.
        threads: threads of the detector.

    Raises:
        InputError: no such detector, or no face in any picture.
    """
    name = key(pictures.key(), _detector_key(detector), MIN_FACE_PX)
    kept = cache.get("faces", name, lambda: _find(pictures, detector, threads))
    state = np.asarray(kept["state"])
    if not (state == FOUND).any():
        raise InputError(
            f"no face was found in the {len(state)} pictures of {pictures.root}",
            hint="check that the folder holds pictures of faces",
        )
    return Faces(
        pictures=pictures,
        picture=np.flatnonzero(state == FOUND).astype(np.int64),
        box=np.asarray(kept["box"], np.float32),
        landmarks=np.asarray(kept["landmarks"], np.float32),
        confidence=np.asarray(kept["confidence"], np.float32),
        crops=np.asarray(kept["crops"], np.uint8),
        unreadable=tuple(pictures.files[i] for i in np.flatnonzero(state == UNREADABLE)),
        faceless=tuple(pictures.files[i] for i in np.flatnonzero(state == FACELESS)),
        key=name,
    )


def embed_faces(faces: Faces, matcher: Matcher, cache: Cache) -> Floats:
    """Return the matcher's embedding of each face: ``float32 [n, d]``."""

    def make() -> dict[str, Floats]:
        parts = []
        with progress("embed", len(faces)) as bar:
            for batch in batches(len(faces), BATCH):
                views = [faces.view(i) for i in batch]
                aligned = [matcher.align(v.image(), v.face.landmarks) for v in views]
                parts.append(matcher.embed(aligned))
                bar.update(batch[-1] + 1)
        return {"embedding": np.concatenate(parts)}

    name = key(faces.key, matcher.sha256, repr(matcher.alignment))
    return np.asarray(cache.get("embeddings", name, make)["embedding"], np.float32)


def batches(count: int, size: int) -> Iterator[range]:
    """Cut ``range(count)`` into runs of at most ``size``."""
    for first in range(0, count, size):
        yield range(first, min(first + size, count))


FOUND, FACELESS, UNREADABLE = 0, 1, 2


def _find(pictures: Pictures, spec: str, threads: int) -> dict[str, NDArray[np.generic]]:
    detector = open_detector(spec, min_face_px=MIN_FACE_PX, threads=threads)
    state = np.full(len(pictures.files), FOUND, np.uint8)
    faces: list[Face] = []
    cut = [np.empty((0, CROP_PX, CROP_PX), np.uint8)]
    with progress("detect", len(pictures.files)) as bar:
        for i in range(len(pictures.files)):
            bar.update(i)
            image = pictures.read(i)
            if image is None:
                state[i] = UNREADABLE
                continue
            face = main_face(detector.detect(image), image.shape[1], image.shape[0])
            if face is None:
                state[i] = FACELESS
                continue
            faces.append(face)
            cut.append(crop_resize_grey(image, [face.box])[:, 0])
    return {
        "state": state,
        "box": np.array([face.box for face in faces], np.float32).reshape(-1, 4),
        "landmarks": np.array([face.landmarks for face in faces], np.float32).reshape(-1, 5, 2),
        "confidence": np.array([face.score for face in faces], np.float32),
        "crops": np.concatenate(cut),
    }


def _detector_key(spec: str) -> list[str]:
    """Name a detector by its files: the model's, and the code that runs it, chooses among its
    faces and cuts the crops."""
    kind, _, file = spec.partition(":")
    model = [Path(file)] if file else sorted(FOLDER.glob(f"{kind}*.onnx"))
    code = [*sorted(Path(detect.__file__).parent.glob("*.py")), Path(crops.__file__)]
    return [kind, *(file_sha256(path) for path in (*model, *code))]


def _present(pictures: Pictures, index: int) -> Image:
    image = pictures.read(index)
    if image is None:  # it could be read when the face was found
        raise InputError(
            f"{pictures.root / pictures.files[index]} can no longer be read",
            hint="run again when the data set is complete",
        )
    return image
