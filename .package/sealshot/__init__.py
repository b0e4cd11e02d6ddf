"""sealshot: one sealed best face shot per person, chosen on the camera.

What other programs use stands in :mod:`sealshot.runtime.api`, and is loaded when it is asked for.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as type checkers know it: `typing` takes a good part of a command's start
if TYPE_CHECKING:
    from typing import Any

    from sealshot.runtime.api import (
        Beat,
        Choice,
        Emit,
        End,
        Face,
        Frame,
        InputError,
        Opened,
        Scorer,
        SealshotError,
        Seen,
        Settings,
        Shot,
        Sink,
        Stop,
        Watched,
        crop_resize_grey,
        open_detector,
        open_scorer,
        open_shot,
        watch,
    )

# Newer releases of ONNX Runtime keep a device identifier and report to its maker, unless this is
# set before its import (microsoft/onnxruntime pull request 27379). A camera reports to nobody.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__all__ = [
    "Beat",
    "Choice",
    "Emit",
    "End",
    "Face",
    "Frame",
    "InputError",
    "Opened",
    "Scorer",
    "SealshotError",
    "Seen",
    "Settings",
    "Shot",
    "Sink",
    "Stop",
    "Watched",
    "crop_resize_grey",
    "open_detector",
    "open_scorer",
    "open_shot",
    "watch",
]

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """Load what is asked for: all of it at once would take longer than all else at the start."""
    if name in __all__:
        from sealshot.runtime import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
