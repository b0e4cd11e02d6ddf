"""Open eyes before closed ones, a calm face before a grin or a turned one, within one track.

Quality says how well a face can be seen. Shut eyes are seen as well as open ones, and teeth are
detail. So eyes, mouth and where the nose is are looked at beside it, on this processor whatever
engine runs the score: the score graph, and the hardware that was made for it, stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.alignment import cut_eyes
from sealshot.runtime.engines.eyes import BEHIND, EYES, Eyes
from sealshot.runtime.engines.manifest import ScoreManifest
from sealshot.runtime.engines.scorer import Scorer
from sealshot.runtime.types import Face, Floats, Pixels, Ratings, Tracks

CALM, BROAD = np.float32(0.9), np.float32(1.0)
"""Width of the mouth over the way between the eyes: narrower and broader ones count as these. Of
faces that do not smile nine in ten are below, and lose nothing by how the landmarks happen to lie;
a grin is at 1."""
STRAIGHT, ASIDE = np.float32(0.1), np.float32(0.4)
"""How far the nose is off the line from between the eyes to the mouth, over the length of that
line: less and more count as these. Half of all photographs are below, and lose nothing by how the
landmarks happen to lie; only profiles are above."""
COMPONENTS = "eyes open", "expression neutral", "yaw frontal alignment"
"""As ISO/IEC 29794-5 calls them."""


class Expression:
    """What eyes, mouth and turn of a face count where a frame is chosen."""

    def __init__(self, eyes: Eyes, manifest: ScoreManifest) -> None:
        """Take the network of the eyes, and the manifest of its score, which states the weights."""
        self.eyes = eyes
        weights = manifest.eyes_weight, manifest.smile_weight, manifest.turn_weight
        self._weights = np.array(weights, np.float32)
        self._spans = self._weights * np.array([-BEHIND[0], BROAD - CALM, ASIDE - STRAIGHT])

    def components(self, image: Pixels, faces: Sequence[Face]) -> Floats:
        """Return ``float32 [n, 3]``, see :attr:`Ratings.components`: of eyes, mouth, turn.

        Args:
            image: ``uint8 [h, w, 3]`` BGR, or planes.
            faces: n faces in it.
        """
        landmarks = [face.landmarks for face in faces]
        points = np.array(landmarks, np.float32).reshape(-1, 5, 2)
        opened = self.eyes.openness(cut_eyes(image, landmarks))
        behind = [opened, CALM - _broad(points), STRAIGHT - _aside(points)]
        weighed: Floats = self._weights * np.stack(behind, axis=1)
        return weighed

    def explain(self, components: Floats, most: Floats) -> str:
        """See :meth:`Scorer.explain`."""
        said = []
        for name, span, own, best in zip(COMPONENTS, self._spans, components, most, strict=True):
            if span:
                own, best = 100 * (1 + own / span), 100 * (1 + best / span)
                said.append(f"{name} {own:.0f} of 100 (at most {best:.0f} in this track)")
        return ", ".join(said)


def _broad(points: Floats) -> Floats:
    """How broad mouths are, ``float32 [n]``, between :data:`CALM` and :data:`BROAD`."""
    eyes, mouth = (np.hypot(*(points[:, i + 1] - points[:, i]).T) for i in (0, 3))
    return np.asarray(np.clip(mouth / np.maximum(eyes, 1e-3), CALM, BROAD), np.float32)


def _aside(points: Floats) -> Floats:
    """How far noses are off the middle, ``float32 [n]``, from :data:`STRAIGHT` to :data:`ASIDE`."""
    between = points[:, :2].mean(axis=1)
    (x, y), (nose_x, nose_y) = (points[:, 3:].mean(axis=1) - between).T, (points[:, 2] - between).T
    aside = np.abs(x * nose_y - y * nose_x) / np.maximum(x**2 + y**2, 1e-6)
    return np.asarray(np.clip(aside, STRAIGHT, ASIDE), np.float32)


def open_expression(model: Path, manifest: ScoreManifest, *, threads: int = 0) -> Expression | None:
    """Open what belongs to a score; None where the score does not heed eyes.

    Args:
        model: the file of the score; the network of the eyes lies beside it.
        manifest: of the score.
        threads: see :class:`Eyes`.

    Raises:
        InputError: the score needs it, and it is missing or wrong.
    """
    if not manifest.eyes_weight:
        return None
    return Expression(Eyes(model.with_name(EYES), threads=threads), manifest)


class Heedful(Scorer):
    """A score that heeds the expression where a frame is chosen.

    A frame loses, in units of the score, the manifest's weight times what its odds of open eyes
    count less than those of the most open frame of its track, and likewise for its mouth and for
    how far it is turned. So eyes that are narrow, dark or behind glasses, a broad mouth, or never
    to face the camera, cost nobody anything: a person is compared with no one else. Which of two
    frames is the better does not depend on the best of a component, for both are compared with it:
    a frame that was the best stays so until a better one comes, however far eyes open later.
    """

    def __init__(self, engine: Scorer, expression: Expression) -> None:
        """Take an engine, and what belongs to its score."""
        self.engine, self.expression = engine, expression
        self.manifest, self.why, self.estimates = engine.manifest, engine.why, engine.estimates

    @property
    def description(self) -> str:  # type: ignore[override]
        """Of the engine, which may change on the way."""
        return self.engine.description

    def score(self, crops: NDArray[np.uint8]) -> Floats:
        """See :meth:`Scorer.score`: the quality alone, for nobody else knows this face."""
        return self.engine.score(crops)

    def rate_tracks(
        self, crops: NDArray[np.uint8], tracks: Tracks, components: Floats | None = None
    ) -> Ratings:
        """See :meth:`Scorer.rate_tracks`: in crops alone it looks at no expression."""
        return self.engine.rate_tracks(crops, tracks, components)

    def rate_frame(
        self, image: Pixels, tracks: Tracks, components: Floats | None = None
    ) -> Ratings:
        """See :meth:`Scorer.rate_frame`."""
        if components is None:
            components = self.expression.components(image, [t.face for t in tracks.seen])
        return self.engine.rate_frame(image, tracks, components)

    def explain(self, components: Floats, most: Floats) -> str:
        """See :meth:`Scorer.explain`."""
        return self.expression.explain(components, most)
