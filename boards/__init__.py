"""Board profiles: what a board can do, who says so, and which board this is.

The profiles are the ``*.toml`` files beside this one; a name is a file's stem.
"""

from __future__ import annotations

from sealshot.boards.detect import Detected, Mode, detect
from sealshot.boards.profile import (
    Board,
    Camera,
    Compute,
    Fact,
    Fpga,
    PowerMode,
    ProfileError,
    Rail,
    Software,
    boards,
)

__all__ = [
    "Board",
    "Camera",
    "Compute",
    "Detected",
    "Fact",
    "Fpga",
    "Mode",
    "PowerMode",
    "ProfileError",
    "Rail",
    "Software",
    "boards",
    "detect",
]
