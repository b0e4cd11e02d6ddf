"""The pictures that detectors are compared on: frames of clips, files of folders."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from sealshot.runtime.cli.terminal import progress
from sealshot.runtime.errors import InputError
from sealshot.runtime.sources import frames_of, open_source
from sealshot.runtime.types import Image

SUFFIXES = {".jpg", ".jpeg", ".png"}
SEED = 1


def pictures(paths: Sequence[Path], count: int) -> Iterator[Image]:
    """Pass on ``count`` frames, evenly spaced, or pictures, drawn by lot, of each path.

    Raises:
        InputError: a path is neither a clip nor a folder with pictures.
    """
    with progress("pictures", count * len(paths)) as bar:
        for index, path in enumerate(paths):
            images = _folder(path, count) if path.is_dir() else _clip(path, count)
            for done, image in enumerate(images):
                yield image
                bar.update(index * count + done + 1, path.name)


def _folder(path: Path, count: int) -> Iterator[Image]:
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"there is no picture in {path}", hint="name another folder")
    for file in random.Random(SEED).sample(files, min(count, len(files))):
        image = cv2.imread(str(file))
        if image is None:
            raise InputError(f"{file} is not a picture", hint="take it out of the folder")
        yield np.asarray(image, np.uint8)


def _clip(path: Path, count: int) -> Iterator[Image]:
    with open_source(str(path)) as source:
        step = max(1, (source.frames or count) // count)
        for frame in frames_of(source):
            if frame.index % step == 0 and frame.index < step * count:
                yield frame.image
