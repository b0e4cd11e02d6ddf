"""Whom pictures show, by age, sex and ethnicity, and what is to be held equal between groups."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.errors import InputError

Doubles = NDArray[np.float64]
IMAGES = "images"
COLUMNS = "the columns are file,age,sex,ethnicity"
OLD, CHILD, ADULT = 70, 10, 20
REFERENCE = "white"


@dataclass(frozen=True, eq=False)
class People:
    """What is known of whom each picture shows."""

    age: NDArray[np.int64]
    """``[n]``, years."""
    sex: NDArray[np.str_]
    ethnicity: NDArray[np.str_]

    def groups(self) -> dict[str, NDArray[np.bool_]]:
        """Return the groups that are told apart, each as ``[n]``; a picture may be in several."""
        adult = (self.age >= ADULT) & (self.age < OLD)
        by_ethnicity = {
            f"{name} adults": adult & (self.ethnicity == name)
            for name in sorted(set(self.ethnicity.tolist()))
        }
        by_sex = {
            f"{sex} adults": adult & (self.sex == sex) for sex in sorted(set(self.sex.tolist()))
        }
        by_age = {
            f"children up to {CHILD}": self.age <= CHILD,
            f"{CHILD + 1} to {ADULT - 1}": (self.age > CHILD) & (self.age < ADULT),
            f"{OLD} and over": self.age >= OLD,
        }
        return {k: v for k, v in (by_ethnicity | by_sex | by_age).items() if v.any()}

    def factors(self) -> dict[str, Doubles]:
        """Return what a regression takes: 0 or 1 a picture; white adult men have 0 in all."""
        women = (self.sex == "female").astype(float)
        other = sorted(set(self.ethnicity.tolist()) - {REFERENCE})
        ages = {name: of for name, of in self.groups().items() if not name.endswith("adults")}
        by_ethnicity = {f"{name} adults": self.ethnicity == name for name in other}
        return {"female adults": women} | {
            name: np.asarray(of, float) for name, of in (by_ethnicity | ages).items()
        }

    def of(self, which: NDArray[np.int64]) -> People:
        """Return whom some of the pictures show."""
        return People(self.age[which], self.sex[which], self.ethnicity[which])


def read_people(folder: Path) -> tuple[tuple[str, ...], People]:
    """Read the list of a folder, ``faces.csv``, whose pictures lie in ``images/``.

    Returns:
        Names of the files in order, and whom they show.

    Raises:
        InputError: there is no list, it has other columns, or a picture is missing.
    """
    file = folder / "faces.csv"
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            rows = sorted(
                (r["file"], int(r["age"]), r["sex"], r["ethnicity"]) for r in csv.DictReader(lines)
            )
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise InputError(f"{file} holds no list of people: {error}", hint=COLUMNS) from None
    absent = [name for name, *_ in rows if not (folder / IMAGES / name).is_file()]
    if absent or not rows:
        raise InputError(
            f"{len(absent)} of {len(rows)} pictures that {file} names are not in {folder / IMAGES}",
            hint="give the whole set",
        )
    names, age, sex, ethnicity = zip(*rows, strict=True)
    people = People(np.array(age), np.array(sex, np.str_), np.array(ethnicity, np.str_))
    return tuple(names), people


def held_equal(
    crops: NDArray[np.uint8], width: NDArray[np.floating], sharpness: Doubles
) -> Doubles:
    """Return what is held equal between groups: ``[n, 6]``, of zero mean and unit spread.

    Logarithms of sharpness and of the width of the face, mean and spread of the grey levels, the
    mean squared, and how unlike left and right half are lit.

    Args:
        crops: ``uint8 [n, ..., 64, 64]``.
        width: ``[n]``, pixels of the face in its picture.
        sharpness: ``[n]``, variance of the Laplacian of the crop.
    """
    pixels = crops.reshape(len(crops), -1).astype(float)
    halves = crops.reshape(len(crops), 64, 2, 32).mean(axis=(1, 3))
    light = pixels.mean(axis=1)
    columns = np.stack(
        [
            np.log(np.maximum(sharpness, 1.0)),
            np.log(width),
            light,
            pixels.std(axis=1),
            (light - light.mean()) ** 2,
            abs(halves[:, 0] - halves[:, 1]) / np.maximum(halves.sum(axis=1), 1.0),
        ],
        axis=1,
    )
    return np.asarray((columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-9))
