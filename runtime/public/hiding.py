"""How a public stream finds and hides faces, said before anything is read or written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sealshot.runtime.detect import Detector, open_detector
from sealshot.runtime.detect.mtcnn import FAST, Mtcnn
from sealshot.runtime.public.carriers import CARRIERS, Carrier, check_carrier
from sealshot.runtime.public.cover import DEFAULT_STYLE, Style
from sealshot.runtime.public.lookback import LOOK_S
from sealshot.runtime.public.painter import Painter

MIN_FACE_PX = 20
SENSITIVE = replace(FAST, thresholds=(0.6, 0.5, 0.5))
"""MTCNN's, for `mtcnn`: what is doubtful is taken for a face."""
SELDOM = replace(FAST, thresholds=(0.6, 0.5, 0.45), coarse_levels=2, together_px=10_000)
"""The same where each place is looked at now and then only: each look has to find more. For faces
up to 46 px it looks at every other window, which shows no more of them for a tenth less. Dark
places are many small parts of a level: all of those in one call would take 50 MB."""


@dataclass(frozen=True)
class Hiding:
    """How faces are hidden."""

    style: Style = DEFAULT_STYLE
    look_s: float = LOOK_S
    """How long a picture waits for what is found after it; memory holds so much of the stream."""
    min_face_px: int = MIN_FACE_PX
    """Width of the smallest face that is looked for."""
    message: Carrier = CARRIERS[0]
    """What says which picture it is, see :data:`CARRIERS`."""
    painter: Painter | None = None
    """Draws faces of nobody over what is covered; one for each stream."""

    def below(self, codec: str, width: int, height: int) -> int:
        """Return how many rows the message takes below a picture.

        Raises:
            InputError: the codec does not keep it, or the picture is too small for it.
        """
        return check_carrier(self.message, codec, width, height)


def open_detectors(
    specs: Sequence[str], min_face_px: int, *, beside: bool = False
) -> list[Detector]:
    """Open detectors as :func:`open_detector` does; MTCNN is :data:`SENSITIVE`.

    Args:
        specs: names.
        min_face_px: width of the smallest face.
        beside: whether they work beside a watch, in one thread and now and then (:data:`SELDOM`).

    Raises:
        InputError: there is no such detector, or its file cannot be read.
    """
    threads, settings = (1, SELDOM) if beside else (0, SENSITIVE)
    return [
        Mtcnn(min_face_px=min_face_px, settings=settings, threads=threads)
        if spec == "mtcnn"
        else open_detector(spec, min_face_px=min_face_px, threads=threads)
        for spec in specs
    ]
