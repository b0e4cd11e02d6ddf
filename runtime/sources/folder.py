"""A folder of pictures as a video: one frame a file, in natural order."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from sealshot.runtime.errors import InputError
from sealshot.runtime.sources.capture import with_aspect
from sealshot.runtime.sources.images import images
from sealshot.runtime.sources.likeness import ENOUGH, Likeness
from sealshot.runtime.sources.source import Source
from sealshot.runtime.types import Frame

logger = logging.getLogger(__name__)

SUFFIXES = (
    ".bmp",
    ".jp2",
    ".jpeg",
    ".jpg",
    ".pbm",
    ".pgm",
    ".png",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)
DEFAULT_FPS = 1.0


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key that puts ``img2`` before ``img10``, whatever the case of the letters."""
    parts = re.split(r"(\d+)", name)  # digits stand at the odd places
    return [int(p) if i % 2 else p.casefold() for i, p in enumerate(parts)], name


def is_picture(path: Path) -> bool:
    """Say whether a path is that of one picture, by its name."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


class Folder(Source):
    """The pictures of one folder, its sub-folders left out.

    The ``time_s`` of a picture is its place in the order over ``fps``. A file that cannot be read
    as a picture is told and leaves its place empty; so are pictures that seem to have nothing to do
    with each other.
    """

    def __init__(
        self,
        path: Path,
        *,
        fps: float | None = None,
        aspect: Fraction | None = None,
        stills: bool = False,
        sandbox: bool = True,
    ) -> None:
        """List the folder and read the first picture.

        Args:
            path: of the folder; with ``stills`` also of a single picture.
            fps: pictures a second.
            aspect: width over height of the pictures as they are to be shown.
            stills: the pictures are known to have nothing to do with each other.
            sandbox: whether they are parsed in a process apart.

        Raises:
            InputError: there is no picture in the folder, or none of them can be read.
        """
        entries = path.iterdir() if path.is_dir() else [path]
        found = {entry.name: entry for entry in entries if entry.suffix.lower() in SUFFIXES}
        self._paths = [
            found[name] for name in sorted(found, key=natural_key) if not name.startswith(".")
        ]
        rate = fps or DEFAULT_FPS
        super().__init__(str(path), live=False, frames=len(self._paths), fps=rate)
        if not self._paths:
            raise InputError(
                f"there is no image in the folder {path}",
                hint="images are files named " + " ".join(SUFFIXES),
            )
        self._closed, self._aspect, self._stills = False, aspect, stills
        self._pictures = self._read_all(rate, sandbox)
        self._first = next(self._pictures, None)
        if self._first is None:
            raise InputError(
                f"not one of the {len(self._paths)} images in {path} can be read",
                hint="check that they open elsewhere",
            )

    def _read_all(self, rate: float, sandbox: bool) -> Generator[Frame]:
        index, likeness = 0, Likeness()
        for place, image in enumerate(images(self._paths, sandbox=sandbox)):
            if image is None:
                continue
            picture = with_aspect(image, self._aspect)
            if likeness.add(picture):
                self._judge(likeness)
            yield Frame(index, place / rate, picture)
            index += 1
        if index <= ENOUGH:
            self._judge(likeness)

    def _judge(self, likeness: Likeness) -> None:
        if likeness.is_missing and not self._stills:
            logger.warning(
                "%s: the pictures look unrelated, and are taken for a video of one camera: faces at"
                " the same place in two of them count as one person; --stills takes each face for "
                "itself",
                self.name,
            )

    def _read(self) -> Frame | None:
        if self._closed:
            return None
        frame, self._first = self._first, None
        return frame or next(self._pictures, None)

    def close(self) -> None:
        """End the iteration."""
        self._closed = True
        with suppress(ValueError):  # another thread is in it, and it reads no more after this one
            self._pictures.close()
