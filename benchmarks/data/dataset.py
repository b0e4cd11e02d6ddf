"""Data sets of pictures of people: a folder a person, a CSV file of pairs, or LFW's lists."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.data.cache import file_sha256, key
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
LFW_PAIRS = "a line is `NAME 1 4` (one person) or `NAME 1 OTHER 2` (two), as in LFW's pairs.txt"
COLUMNS = "the columns `reference` and `probe` hold files; `same` (0 or 1) and `person` may follow"


@dataclass(frozen=True)
class Pictures:
    """Picture files, and whom each one shows."""

    root: Path
    files: tuple[str, ...]
    """Paths below ``root``, sorted."""
    person: tuple[str, ...]
    """One a file; empty where only pairs are known."""

    def read(self, index: int) -> Image | None:
        """Return a picture, ``uint8 [h, w, 3]`` BGR; None where it cannot be decoded."""
        image = cv2.imread(str(self.root / self.files[index]), cv2.IMREAD_COLOR)
        return None if image is None else np.asarray(image, np.uint8)

    def key(self) -> str:
        """Name the pictures by the hashes of their files."""
        return key([(file, file_sha256(self.root / file)) for file in self.files])


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which pictures are compared."""

    reference: NDArray[np.int64]
    """``[n]``, indices of pictures."""
    probe: NDArray[np.int64]
    """``[n]``, indices of pictures."""
    same: NDArray[np.bool_]
    """``[n]``: a genuine pair, else an impostor pair."""
    person: NDArray[np.str_]
    """``[n]``: whom the reference shows, as far as known."""


def read_folder(root: Path) -> Pictures:
    """Read a folder that holds a folder a person.

    Raises:
        InputError: no such folder, or nobody in it has two pictures.
    """
    if not root.is_dir():
        raise InputError(f"there is no folder {root}", hint="check the path")
    paths = sorted(
        path
        for path in root.glob("*/*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    files = tuple(path.relative_to(root).as_posix() for path in paths)
    person = tuple(path.parent.name for path in paths)
    if len(files) == len(set(person)):  # nobody twice
        raise InputError(
            f"{root} holds no person with two pictures",
            hint="make a folder a person, with the person's pictures in it",
        )
    return Pictures(root, files, person)


def read_pairs(path: Path) -> tuple[Pictures, Pairs]:
    """Read a CSV file of pairs: a header with `reference` and `probe`, files relative to the CSV.

    The column `same` is 1 for a genuine pair (so without the column) and 0 for an impostor pair;
    `person` says whom the reference shows, for the bootstrap, and is the reference's file without.

    Raises:
        InputError: the file is missing, a column is, a picture is, or a value of `same` is wrong.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}", hint=COLUMNS) from error
    if not rows or not {"reference", "probe"} <= rows[0].keys():
        raise InputError(f"{path} is not a list of pairs", hint=COLUMNS)
    left = [row["reference"] or "" for row in rows]
    right = [row["probe"] or "" for row in rows]
    same = [_same(path, line, row.get("same", "1")) for line, row in enumerate(rows, start=2)]
    files = tuple(sorted({*left, *right}))
    absent = [file for file in files if not (path.parent / file).is_file()]
    if absent:
        raise InputError(
            f"{len(absent)} pictures that {path} names do not exist, the first is '{absent[0]}'",
            hint=f"paths are relative to {path.parent}",
        )
    index = {file: i for i, file in enumerate(files)}
    pairs = Pairs(
        reference=np.array([index[file] for file in left]),
        probe=np.array([index[file] for file in right]),
        same=np.array(same),
        person=np.array([row.get("person") or file for row, file in zip(rows, left, strict=True)]),
    )
    return Pictures(path.parent, files, ()), pairs


def read_lfw_pairs(path: Path) -> tuple[Pictures, Pairs]:
    """Read pairs as LFW lists them (``pairs.txt``, ``pairsDevTest.txt``).

    After a line of counts, ``NAME 1 4`` are two pictures of one person, ``NAME 1 OTHER 2`` of two.
    Picture 1 of NAME is ``NAME/NAME_0001.jpg``, in the folder of the list or in one beside it.

    Raises:
        InputError: the file cannot be read, a line is neither, or a picture is not there.
    """
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint=LFW_PAIRS) from error
    rows = [(number, cells) for number, cells in enumerate(lines, start=1) if cells]
    if rows and all(cell.isdecimal() for cell in rows[0][1]):
        rows = rows[1:]
    named: list[tuple[tuple[str, str], tuple[str, str]]] = []
    for number, cells in rows:
        if len(cells) == 3:
            cells = [cells[0], cells[1], cells[0], cells[2]]
        if len(cells) != 4 or not (cells[1].isdecimal() and cells[3].isdecimal()):
            raise InputError(
                f"line {number} of {path} is no pair: {' '.join(cells)[:60]}", hint=LFW_PAIRS
            )
        named.append(((cells[0], cells[1]), (cells[2], cells[3])))
    if not named:
        raise InputError(f"{path} lists no pairs", hint=LFW_PAIRS)
    first = named[0][0][0]
    beside = sorted(folder for folder in path.parent.iterdir() if folder.is_dir())
    root = next((f for f in (path.parent, *beside) if (f / first).is_dir()), None)
    if root is None:
        raise InputError(
            f"the pictures of {path} are not there: no folder '{first}' beside it or one below",
            hint="put the list beside the folder of the pictures",
        )
    of = {picture: _lfw_file(root, *picture) for pair in named for picture in pair}
    absent = sorted(f"{name} {number}" for (name, number), file in of.items() if not file)
    if absent:
        raise InputError(
            f"{len(absent)} pictures that {path} names are not in {root}, the first is {absent[0]}",
            hint="picture 1 of NAME is NAME/NAME_0001.jpg",
        )
    files = tuple(sorted(set(of.values())))
    index = {file: i for i, file in enumerate(files)}
    pairs = Pairs(
        reference=np.array([index[of[left]] for left, _ in named]),
        probe=np.array([index[of[right]] for _, right in named]),
        same=np.array([left[0] == right[0] for left, right in named]),
        person=np.array([left[0] for left, _ in named]),
    )
    return Pictures(root, files, ()), pairs


def _lfw_file(root: Path, name: str, number: str) -> str:
    """Return the file of a picture below ``root``; empty where there is none."""
    stem = f"{name}/{name}_{int(number):04d}"
    found = (f"{stem}{suffix}" for suffix in sorted(SUFFIXES))
    return next((file for file in found if (root / file).is_file()), "")


def _same(path: Path, line: int, text: str | None) -> bool:
    if text not in ("0", "1"):
        raise InputError(f"line {line} of {path} has '{text}' as `same`", hint="write 0 or 1")
    return text == "1"


def people(pictures: Pictures) -> tuple[Sequence[str], NDArray[np.int64]]:
    """Return the people's names, sorted, and the index of the person in each picture."""
    names, index = np.unique(np.array(pictures.person, dtype=np.str_), return_inverse=True)
    return names.tolist(), index.astype(np.int64)
