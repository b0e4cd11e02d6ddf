"""How a public stream covers faces, as the options and `cameras.toml` say it."""

from __future__ import annotations

import argparse
from pathlib import Path

from sealshot.runtime.public.cover import DEFAULT_STYLE, STYLES, Style
from sealshot.runtime.public.painter import DRAWN_OVER, Painter
from sealshot.runtime.public.stream import CARRIERS, MIN_FACE_PX, Carrier, Hiding

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


def beside_a_watch(
    given: tuple[Style, Path | None] | None, message: Carrier | None, min_face_px: int
) -> Hiding:
    """Return how a public stream beside a watch hides faces, from ``min_face_px`` or less on.

    Raises:
        InputError: the model that draws faces cannot be read.
    """
    covered, drawn = given or (DEFAULT_STYLE, None)
    return Hiding(
        style=covered,
        min_face_px=min(MIN_FACE_PX, min_face_px),
        message=message or CARRIERS[0],
        painter=Painter(drawn) if drawn else None,
    )
