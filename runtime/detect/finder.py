"""What finds faces in the frames of one source, which come in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sealshot.runtime.types import Face, Pixels


class Detector(Protocol):
    """Finds the faces of a picture, and remembers nothing of it."""

    def detect(self, image: Pixels) -> list[Face]:
        """Return the faces of ``image`` (uint8 ``[h, w, 3]``, BGR, or planes), best score first.

        The size may change from call to call. Raises InputError if ``image`` is anything else.
        """


class Finder(Protocol):
    """Finds the faces in the frames of one source; it may remember where they were."""

    def look(self, time_s: float, image: Pixels) -> Callable[[], list[Face]]:
        """Do what can be done of a frame before the faces of the last one are known.

        Args:
            time_s: when, in seconds; later than the last frame.
            image: ``uint8 [h, w, 3]``, BGR, or planes; left as it is until the second half is done.

        Returns:
            The second half: gives the faces, best score first. It is called once, in the order of
            the frames; the next frame may be looked at beside it, in another thread.

        Raises:
            InputError: ``image`` is anything else.
        """


class EveryFrame:
    """A detector that looks at the whole of every frame."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def look(self, time_s: float, image: Pixels) -> Callable[[], list[Face]]:
        """See :meth:`Finder.look`."""
        return lambda: self._detector.detect(image)
