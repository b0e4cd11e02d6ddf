"""The option ``--style`` of public streams."""

from __future__ import annotations

import argparse
from pathlib import Path

from sealshot.runtime.public.cover import STYLES, Style
from sealshot.runtime.public.painter import DRAWN_OVER

NOT_MEASURED = (
    "drawn faces hide what their net was taught to hide: measure it with `sealshot bench deid "
    "FACES --recognizer FILE --drawn FILE.onnx`"
)


def style(text: str) -> tuple[Style, Path | None]:
    """Read how faces are covered, and with what model faces are drawn over that."""
    kind, _, file = text.partition(":")
    if kind == "face" and file:
        return DRAWN_OVER, Path(file)
    for known in STYLES:
        if text == known:
            return known, None
    raise argparse.ArgumentTypeError(f"'{text}' is none of {', '.join(STYLES)}, face:FILE.onnx")
