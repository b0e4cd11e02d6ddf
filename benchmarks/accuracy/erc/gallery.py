"""A gallery: other pictures of people who are in clips, to compare a chosen shot with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sealshot.benchmarks.accuracy.erc.choice import Cast, Shots
from sealshot.benchmarks.accuracy.erc.comparisons import impostors
from sealshot.benchmarks.accuracy.erc.curve import Doubles
from sealshot.benchmarks.data.dataset import SUFFIXES
from sealshot.benchmarks.data.matcher import Matcher, distances
from sealshot.runtime.cli.terminal import warn
from sealshot.runtime.detect import Detector
from sealshot.runtime.detect.subject import main_face
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Floats


@dataclass(frozen=True, eq=False)
class Portrait:
    """One picture of a person, or one clip, which counts as one picture."""

    person: str
    source: Path
    """The file, links followed."""
    embeddings: Floats
    """``[n, d]``: of the picture, or of the frames of the longest track of the clip."""

    @property
    def template(self) -> Floats:
        """The mean of the embeddings, of length 1: ``[d]``."""
        return template(self.embeddings)


@dataclass(frozen=True, eq=False)
class Gallery:
    """Other pictures of people."""

    portraits: tuple[Portrait, ...]
    distance: str
    """Of the matcher."""

    def impostor(self) -> Doubles:
        """Return distances between pictures of different people: ``[n]``."""
        person = [p.person for p in self.portraits for _ in p.embeddings]
        of = np.unique(person, return_inverse=True)[1]
        return impostors(np.concatenate([p.embeddings for p in self.portraits]), of, self.distance)

    def others(self, shots: Shots, clip: Path, threshold: float) -> tuple[str, Floats] | None:
        """Return whom a track shows, and what there is of that person beside the track's clip.

        Whose folder the clip itself lies in says whom it may show; else it may be anybody. It is
        the nearest of them, if near enough for the matcher.

        Args:
            shots: the track.
            clip: its file, links followed.
            threshold: of the matcher.

        Returns:
            The name and ``[n, d]``; None where the track shows nobody of the gallery.
        """
        elsewhere = [p for p in self.portraits if p.source != clip]
        known = {p.person for p in self.portraits if p.source == clip}
        near: list[tuple[float, str, Floats]] = []
        for name in known or {p.person for p in self.portraits}:
            of_person = [p.template for p in elsewhere if p.person == name]
            if of_person:
                embeddings = np.stack(of_person)
                own = np.broadcast_to(template(shots.embedding), embeddings.shape)
                away = float(distances(own, embeddings, self.distance).mean())
                near.append((away, name, embeddings))
        if not near:
            return None
        away, name, embeddings = min(near, key=lambda one: one[:2])
        return (name, embeddings) if away < threshold else None


def template(embeddings: Floats) -> Floats:
    """Return the mean of some embeddings ``[n, d]``, of length 1: ``[d]``."""
    mean = embeddings.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)


def open_gallery(
    folder: Path, follow: Callable[[Path], Cast], detector: Detector, matcher: Matcher
) -> Gallery:
    """Look at a folder that holds a folder a person, with pictures and clips of that person.

    Args:
        folder: the gallery; a folder within that of a person is a clip in pictures.
        follow: gives the tracks of a clip.
        detector: of the faces in pictures.
        matcher: embeds them.

    Raises:
        InputError: there is no such folder, a clip cannot be read, or nobody is to be seen.
    """
    if not folder.is_dir():
        raise InputError(
            f"there is no folder {folder}", hint="name one that holds a folder a person"
        )
    portraits: list[Portrait] = []
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in sorted(person.iterdir()):
            if path.name.startswith("."):
                continue
            is_picture = path.suffix.lower() in SUFFIXES and path.is_file()
            seen = _of_picture(path, detector, matcher) if is_picture else _of_clip(follow(path))
            if seen is None:
                warn(f"{path}: no face found")
            else:
                portraits.append(Portrait(person.name, path.resolve(), seen))
    if not portraits:
        raise InputError(
            f"{folder} shows nobody", hint="put a folder a person in it, with pictures or clips"
        )
    return Gallery(tuple(portraits), matcher.alignment.distance)


def _of_picture(path: Path, detector: Detector, matcher: Matcher) -> Floats | None:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{path} is no picture", hint="take it out of the gallery")
    pixels = np.asarray(image, np.uint8)
    face = main_face(detector.detect(pixels), pixels.shape[1], pixels.shape[0])
    return None if face is None else matcher.embed([matcher.align(pixels, face.landmarks)])


def _of_clip(cast: Cast) -> Floats | None:
    return longest(cast.people).embedding if cast.people else None


def longest(people: Sequence[Shots]) -> Shots:
    """Return the track with the most shots."""
    return max(people, key=lambda shots: len(shots.frame))
