"""How a public stream covers faces, as the options and `cameras.toml` say it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from sealshot.runtime.engines.manifest import read_manifest
from sealshot.runtime.public.carriers import CARRIERS, Carrier
from sealshot.runtime.public.cover import DEFAULT_STYLE, STYLES, Style
from sealshot.runtime.public.hiding import MIN_FACE_PX, Hiding
from sealshot.runtime.public.painter import DRAWN_OVER, DrawingManifest, Painter
from sealshot.runtime.weights import DRAWING, drawing_net

MEASURED = (
    "drawn faces are of nobody, and their light and pose the person's: benchmarks/RESULTS.md says "
    "what two matchers make of them"
)
NOT_MEASURED = (
    "drawn faces hide what their net was taught to hide: measure it with `sealshot bench deid "
    "FACES --recognizer FILE --drawn FILE.onnx`"
)
REVERSIBLE = (
    "this net leaves in each face what brings the person back, and whoever has it can train what "
    "does so: it is for research, and no net for a stream that others see"
)


@dataclass(frozen=True)
class Drawn:
    """With what faces are drawn."""

    model: Path
    control: dict[str, int] = field(default_factory=dict)
    """Labels that are kept, 1, or turned, -1."""

    def painter(self) -> Painter:
        """Open it.

        Raises:
            InputError: the model cannot be read, or knows no such label.
        """
        return Painter(self.model, self.control)


def style(text: str) -> tuple[Style, Drawn | None]:
    """Read how faces are covered, and with what faces are drawn over that.

    ``face`` draws with the net that ships; ``face:FILE.onnx`` with another one, and
    ``face:FILE.onnx:Male,-Young`` keeps the one label of each person and turns the other.
    """
    kind, _, rest = text.partition(":")
    file, _, labels = (rest or text).partition(":")
    if kind == "face" and file:
        control = {
            name.removeprefix("-"): -1 if name[0] == "-" else 1
            for name in labels.split(",")
            if name
        }
        return DRAWN_OVER, Drawn(drawing_net(file), control)
    for known in STYLES:
        if text == known:
            return known, None
    raise argparse.ArgumentTypeError(
        f"'{text}' is none of {', '.join(STYLES)}, face, face:FILE.onnx"
    )


def promise(painter: Painter) -> str:
    """Return what is to be said to who lets faces be drawn."""
    if painter.manifest.reversible:
        return REVERSIBLE
    return MEASURED if painter.manifest == read_manifest(DRAWING, DrawingManifest) else NOT_MEASURED


def beside_a_watch(
    given: tuple[Style, Drawn | None] | None, message: Carrier | None, min_face_px: int
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
        painter=drawn.painter() if drawn else None,
    )
