"""Scorers: crops in, quality scores out, whatever engine runs the graph."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.crops import CROP_PX, crop_resize_grey
from sealshot.runtime.engines.manifest import ScoreManifest
from sealshot.runtime.engines.runner import Runner, Tensor
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Floats, Pixels, Ratings, Tracks

INPUT = Tensor("crops", np.dtype(np.uint8), (None, 1, CROP_PX, CROP_PX))
MOST_DECODES = 20
"""Crops times latent samples in one call on an engine that takes any number: a crowd must not take
more memory, and is no slower."""


class Scorer(ABC):
    """A quality score, ready to be asked."""

    manifest: ScoreManifest
    """Of the scores that :meth:`score` gives; its percentiles are theirs."""
    description: str
    """The engine, the device and the precision in a few words, for people."""
    estimates: bool = False
    """Whether :meth:`rate_tracks` only estimates the quality of crops that cannot be the best."""
    why: str = ""
    """What decided for this engine, where there was a choice."""

    @abstractmethod
    def score(self, crops: NDArray[np.uint8]) -> Floats:
        """Return the quality of each crop, higher is better.

        Args:
            crops: ``uint8 [n, 1, 64, 64]``; n may be 0.

        Returns:
            ``float32 [n]``.

        Raises:
            SealshotError: the engine failed.
        """

    def rate_tracks(
        self, crops: NDArray[np.uint8], tracks: Tracks, components: Floats | None = None
    ) -> Ratings:
        """Rate one frame's faces, of which selection keeps each track's best.

        Args:
            crops: ``uint8 [n, 1, 64, 64]``, one for each of ``tracks.seen``.
            tracks: of one frame; those of a source come in its order.
            components: see :attr:`Ratings.components`; None where nothing else counts.

        Returns:
            ``n`` ratings; exact for all that may be best of their track so far, in their order.
        """
        return Ratings.of(self.score(crops), components)

    def rate_frame(
        self, image: Pixels, tracks: Tracks, components: Floats | None = None
    ) -> Ratings:
        """Cut the faces out of a frame, and return :meth:`rate_tracks` of them.

        Args:
            image: ``uint8 [h, w, 3]`` BGR, or planes.
            tracks: of this frame.
            components: as there; a scorer that heeds any looks itself where it is None.
        """
        boxes = [track.face.box for track in tracks.seen]
        return self.rate_tracks(crop_resize_grey(image, boxes), tracks, components)

    def explain(self, components: Floats, most: Floats) -> str:
        """Say for people what else counted beside quality; empty if nothing.

        Args:
            components: ``[c]``, :attr:`Ratings.components` of the face that won.
            most: ``[c]``, the highest of its track so far, each by itself.
        """
        return ""


class GraphScorer(Scorer):
    """A score graph on an engine."""

    def __init__(self, runner: Runner, manifest: ScoreManifest) -> None:
        """Take a graph that is open, and warm it up.

        Args:
            runner: takes ``crops`` uint8 ``[n, 1, 64, 64]`` and gives one number a crop.
            manifest: of the graph.

        Raises:
            InputError: it is no score graph.
        """
        self.runner, self.manifest = runner, manifest
        if len(runner.inputs) != 1 or not _fits(runner.inputs[0], INPUT):
            raise InputError(
                f"{manifest.name} is not a score graph: it must take one input, "
                "`crops` uint8 [n,1,64,64]",
                hint="name a file that `sealshot train` or `sealshot export` wrote",
            )
        if len(runner.outputs) != 1:
            raise InputError(
                f"{manifest.name} gives {', '.join(o.name for o in runner.outputs)}, not one score",
                hint="the form that ends at the pixels is for --engine tensorrt",
            )
        self._output = runner.outputs[0].name
        self._most = runner.most or max(1, MOST_DECODES // max(1, manifest.samples))
        self.description = f"{runner.description}, {manifest.precision}"
        self.score(np.zeros((1, 1, CROP_PX, CROP_PX), np.uint8))

    def score(self, crops: NDArray[np.uint8]) -> Floats:
        """See :meth:`Scorer.score`."""
        scores = np.empty(len(crops), np.float32)
        for i in range(0, len(crops), self._most):
            part = slice(i, i + self._most)
            scores[part] = self.runner.run({INPUT.name: crops[part]})[self._output]
        return scores


def _fits(found: Tensor, wanted: Tensor) -> bool:
    return (
        (found.name, found.dtype) == (wanted.name, wanted.dtype)
        and len(found.shape) == len(wanted.shape)
        and all(a in (None, b) for a, b in zip(found.shape, wanted.shape, strict=True))
    )
