"""Pictures in files of their own, which a process apart parses for all of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from sealshot.runtime.sandbox.messages import PIXELS, Request
from sealshot.runtime.sources.apart import data_of, handed_over
from sealshot.runtime.sources.reader import NoVideoError
from sealshot.runtime.types import Image

logger = logging.getLogger(__name__)


def images(paths: Sequence[Path], *, sandbox: bool = True) -> Iterator[Image | None]:
    """Yield the picture of each file; None where there is none that can be read, which is told.

    A file by which the process ends is told and left out; another one goes on with the rest.

    Args:
        paths: of the files.
        sandbox: whether they are parsed in a process apart.

    Raises:
        InputError: no such process can be started.
    """
    left = list(paths)
    while left:
        done = 0
        names = b"\0".join(os.fsencode(path.absolute()) for path in left)
        try:
            with handed_over(names) as memory:
                request = Request("", job="images", given=memory)
                found = data_of(request, _image, sandbox=sandbox, descriptors=(memory,))
                for path, image in zip(left, found, strict=False):
                    done += 1
                    if image is None:
                        _tell(path)
                    yield image
                if done < len(left):
                    raise NoVideoError("the process that parses it ended early", ours=True)
        except NoVideoError as error:
            if error.hint:
                raise error.refusal(str(left[done].parent), "cannot be read", "") from None
            _tell(left[done], f": {error.why}")
            done += 1
            yield None
        del left[:done]


def _image(data: Image) -> Image | None:
    """Raise ValueError where it is not what it says."""
    if len(data) < PIXELS.size:
        raise ValueError("it has no size")
    width, height = PIXELS.unpack_from(data.data)
    pixels = data[PIXELS.size :]
    return pixels.reshape(height, width, 3) if len(pixels) else None


def _tell(path: Path, why: str = "") -> None:
    logger.warning("%s cannot be read as an image and is left out%s", path, why)
