"""A bitstream and its report in a folder, as `sealshot export --board` writes them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from sealshot.runtime.errors import InputError

BITSTREAM, REPORT = "ulx3s.bit", "ulx3s.json"


def read_report(folder: Path) -> dict[str, Any]:
    """Return the figures of a bitstream in a folder, and make sure that it is that bitstream.

    Raises:
        InputError: there is none, or it is damaged.
    """
    try:
        figures: dict[str, Any] = json.loads((folder / REPORT).read_text())
        found = hashlib.sha256((folder / BITSTREAM).read_bytes()).hexdigest()
        if found != figures["bitstream_sha256"]:
            raise InputError(
                f"{folder / BITSTREAM} is not the one that {REPORT} describes",
                hint="build both again with `sealshot export quality --engine fpga --board ulx3s`",
            )
    except OSError as error:
        raise InputError(
            f"{folder} holds no bitstream: {error.filename}: {error.strerror}",
            hint="`sealshot export quality --engine fpga --board ulx3s` makes one",
        ) from error
    except (ValueError, KeyError) as error:
        raise InputError(
            f"{folder / REPORT} is damaged",
            hint="`sealshot export quality --engine fpga --board ulx3s` makes one",
        ) from error
    return figures
