"""What is known of faces, as label files say it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from sealshot.runtime.errors import InputError

ATTRIBUTES = (
    "Male",
    "Young",
    "Black_Hair",
    "Blond_Hair",
    "Brown_Hair",
    "Gray_Hair",
    "Bald",
    "Bangs",
    "Wavy_Hair",
    "White",
    "Black",
    "East_Asian",
    "Indian",
)
"""What is known of faces. As far as Wavy_Hair columns of CelebA, 0 or 1 each; the rest, and the
first two also, come from columns `sex`, `age` and `ethnicity`, as UTKFace estimates them."""
OLD_YEARS = 45
"""From here on nobody is ``Young``."""
UNKNOWN = -1


def labels_of(row: Mapping[str, str]) -> list[int]:
    """Return what a row says of each of :data:`ATTRIBUTES`: 0, 1 or -1.

    Raises:
        InputError: a label is something else, or an age is none.
    """
    known = {name: _label(name, row.get(name) or "") for name in ATTRIBUTES}
    if sex := row.get("sex"):
        known["Male"] = int(sex == "male")
    if age := row.get("age"):
        if not age.isdecimal():
            raise InputError(f"'{age}' is no age", hint="give whole years, or nothing")
        known["Young"] = int(int(age) < OLD_YEARS)
    if ethnicity := row.get("ethnicity"):
        for name in ATTRIBUTES[-4:]:
            known[name] = int(name.lower().replace("_", "-") == ethnicity)
    return list(known.values())


def _label(name: str, text: str) -> int:
    if text not in ("", "0", "1"):
        raise InputError(
            f"'{text}' is no label {name}",
            hint="give 0, 1, or nothing; CelebA's own list says -1 for 0",
        )
    return int(text) if text else UNKNOWN


def read_labels(files: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Return the row of each picture, by its file name; a later file adds to an earlier one."""
    rows: dict[str, dict[str, str]] = {}
    for path in files:
        try:
            with path.open(newline="") as file:
                for row in csv.DictReader(file):
                    rows.setdefault(row["file"], {}).update(row)
        except (OSError, KeyError, ValueError, csv.Error) as error:
            raise InputError(f"{path} is no label file: {error}", hint="see --help") from None
    return rows
