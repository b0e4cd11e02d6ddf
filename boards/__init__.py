"""Board profiles: what a board can do, who says so, and which board this is.

The profiles are the ``*.toml`` files beside this one; a name is a file's stem.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sealshot.boards.detect import Detected, Mode, recognise
from sealshot.boards.profile import (
    Board,
    Camera,
    Compute,
    Fact,
    PowerMode,
    ProfileError,
    Rail,
    Software,
    read_board,
)

__all__ = [
    "Board",
    "Camera",
    "Compute",
    "Detected",
    "Fact",
    "Mode",
    "PowerMode",
    "ProfileError",
    "Rail",
    "Software",
    "boards",
    "detect",
]


@cache
def boards() -> dict[str, Board]:
    """Return the profiles that ship, by name.

    Raises:
        ProfileError: a profile is malformed.
    """
    return {path.stem: read_board(path) for path in sorted(Path(__file__).parent.glob("*.toml"))}


def detect(root: Path = Path("/")) -> Detected:
    """Say which board a system runs on, from the files under ``root``; see :func:`recognise`."""
    return recognise(root, boards())
