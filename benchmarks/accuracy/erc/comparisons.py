"""Which faces are compared: from people and embeddings to genuine and impostor distances."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.erc.curve import Doubles
from sealshot.benchmarks.data.dataset import Pairs
from sealshot.benchmarks.data.faces import Faces
from sealshot.benchmarks.data.matcher import distances
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Floats

PAIRS_A_PERSON = 100
IMPOSTORS = 2_000_000
NPZ = (
    "`distance` [n] of genuine comparisons and one `quality_NAME` [n] a score are needed; "
    "`person` [n] and `impostor` [m] may be there"
)


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Genuine comparisons, and the impostor distances beside them."""

    distance: Doubles
    """``float64 [n]``."""
    person: NDArray[np.generic]
    """``[n]``: whom each comparison is of; the bootstrap draws these."""
    impostor: Doubles
    """``float64 [m]``; empty where none is known."""
    reference: NDArray[np.int64]
    """``[n]``, indices of faces."""
    probe: NDArray[np.int64]
    """``[n]``, indices of faces."""
    lost: int = 0
    """Pairs that were asked for and cannot be compared: a picture without a face."""

    def quality(self, faces: Doubles, rule: str) -> Doubles:
        """Return the quality of each comparison from that of each face.

        Args:
            faces: ``[faces]``.
            rule: ``probe``, or ``min`` of both pictures.
        """
        if rule == "probe":
            return faces[self.probe]
        return np.minimum(faces[self.reference], faces[self.probe])


def with_references(
    faces: Faces, embedding: Floats, distance: str, desirability: Doubles
) -> Comparisons:
    """Compare each picture with its person's reference: the paper's protocol.

    Args:
        faces: of a folder a person.
        embedding: ``[faces, d]``.
        distance: see :attr:`Alignment.distance`.
        desirability: ``[faces]``; the reference of a person is the face with the highest.
    """
    person = np.unique(faces.person(), return_inverse=True)[1]
    # the best of each person stands last, the first of equals
    order = np.lexsort((-np.arange(len(person)), desirability, person))
    best = order[np.append(np.flatnonzero(np.diff(person[order])), len(order) - 1)]
    probe = np.setdiff1d(np.arange(len(person)), best)
    reference = best[person[probe]]
    return _compare(reference, probe, person, embedding, distance)


def all_pairs(faces: Faces, embedding: Floats, distance: str, *, seed: int = 0) -> Comparisons:
    """Compare any two pictures of a person, at most 100 pairs a person, drawn with the seed.

    Without the limit a few people with many pictures are most of the pairs.
    """
    person = np.unique(faces.person(), return_inverse=True)[1]
    left, right = pairs_of_people(person, seed=seed)
    return _compare(left, right, person, embedding, distance)


def pairs_of_people(
    person: NDArray[np.int64], *, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of pictures of one person, at most 100 a person, drawn with the seed.

    Args:
        person: ``[n]``, an index of the person in each picture, from 0.
        seed: of the draw.

    Returns:
        ``[m]`` each, indices of pictures.
    """
    rng = np.random.default_rng(seed)
    left, right = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for members in np.split(np.argsort(person, kind="stable"), np.cumsum(np.bincount(person))[:-1]):
        a, b = np.triu_indices(len(members), 1)
        kept = rng.permutation(len(a))[:PAIRS_A_PERSON]
        left.append(members[a[kept]])
        right.append(members[b[kept]])
    return np.concatenate(left), np.concatenate(right)


def listed(faces: Faces, embedding: Floats, distance: str, pairs: Pairs) -> Comparisons:
    """Compare the pairs of a CSV file; those of a picture without a face are counted as lost."""
    face_of = np.full(len(faces.pictures.files), -1)
    face_of[faces.picture] = np.arange(len(faces))
    reference, probe = face_of[pairs.reference], face_of[pairs.probe]
    known = (reference >= 0) & (probe >= 0)
    genuine, impostor = known & pairs.same, known & ~pairs.same
    return Comparisons(
        distance=distances(embedding[reference[genuine]], embedding[probe[genuine]], distance),
        person=pairs.person[genuine],
        impostor=distances(embedding[reference[impostor]], embedding[probe[impostor]], distance),
        reference=reference[genuine],
        probe=probe[genuine],
        lost=int((~known).sum()),
    )


def read_npz(path: Path) -> tuple[Comparisons, dict[str, Doubles]]:
    """Read distances and qualities that were computed before.

    Raises:
        InputError: the file is missing or malformed, or its arrays do not pair up.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read as .npz: {error}", hint=NPZ) from error
    qualities = {
        name.removeprefix("quality_"): array
        for name, array in arrays.items()
        if name.startswith("quality_")
    }
    if "distance" not in arrays or not qualities:
        raise InputError(f"{path} holds {', '.join(arrays) or 'nothing'}", hint=NPZ)
    count = arrays["distance"].shape
    person = arrays.get("person", np.arange(arrays["distance"].size))
    for name, array in {**qualities, "person": person}.items():
        if array.shape != count or len(count) != 1:
            raise InputError(
                f"`{name}` of {path} is {list(array.shape)}, `distance` is {list(count)}", hint=NPZ
            )
    try:
        values = {name: array.astype(np.float64) for name, array in qualities.items()}
        genuine = arrays["distance"].astype(np.float64)
        impostor = arrays.get("impostor", np.empty(0)).astype(np.float64)
    except ValueError as error:
        raise InputError(f"{path} holds text where numbers belong: {error}", hint=NPZ) from error
    index = np.arange(len(genuine))
    return Comparisons(genuine, person, impostor, index, index), values


def _compare(
    reference: NDArray[np.int64],
    probe: NDArray[np.int64],
    person: NDArray[np.int64],
    embedding: Floats,
    distance: str,
) -> Comparisons:
    return Comparisons(
        distance=distances(embedding[reference], embedding[probe], distance),
        person=person[probe],
        impostor=impostors(embedding, person, distance),
        reference=reference,
        probe=probe,
    )


def impostors(embedding: Floats, person: NDArray[np.int64], distance: str) -> Doubles:
    """Return distances between pictures of different people: all, or two million drawn pairs."""
    if len(person) * (len(person) - 1) // 2 <= IMPOSTORS:
        left, right = np.triu_indices(len(person), 1)
    else:
        left, right = np.random.default_rng(0).integers(0, len(person), (2, IMPOSTORS))
    different = person[left] != person[right]
    left, right = left[different], right[different]
    parts = [np.empty(0)]
    for first in range(0, len(left), 100_000):
        part = slice(first, first + 100_000)
        parts.append(distances(embedding[left[part]], embedding[right[part]], distance))
    return np.concatenate(parts)
