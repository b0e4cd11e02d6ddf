"""Reading what was labelled by hand or by others: a CSV file, row by row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from sealshot.runtime.errors import InputError

Row = TypeVar("Row")


def read_rows(
    file: Path, row: Callable[[Mapping[str, str]], Row], refusal: str, hint: str
) -> list[Row]:
    """Read a file of UTF-8 with a line of names above its rows.

    Args:
        file: CSV.
        row: makes something of the values of a row, by their names; raises ValueError, KeyError or
            TypeError where it cannot.
        refusal: clause that says of the file what is wrong, such as "holds no labels".
        hint: says what the file is to hold.

    Raises:
        InputError: it cannot be read, is no CSV, or ``row`` can make nothing of a row.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            return [row(values) for values in csv.DictReader(lines)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise InputError(f"{file} {refusal}: {error}", hint=hint) from None
