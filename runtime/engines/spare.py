"""An engine, and another behind it that goes on with the same scores when the first fails."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.engines.scorer import Scorer
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.types import Floats

logger = logging.getLogger(__name__)


class Spare(Scorer):
    """Asks the first engine until it fails, and from then on the spare one."""

    def __init__(self, first: Scorer, spare: Scorer) -> None:
        """Take two engines whose scores are the same, number for number: tracks go on unharmed."""
        self._engine, self._spare = first, spare
        self.manifest = first.manifest
        self.description = f"{first.description}; if it fails, {spare.description}"

    def score(self, crops: NDArray[np.uint8]) -> Floats:
        """See :meth:`Scorer.score`."""
        if self._engine is self._spare:
            return self._spare.score(crops)
        try:
            return self._engine.score(crops)
        except SealshotError as error:
            tell(error.fact, self._spare)
            self._engine, self.description = self._spare, self._spare.description
            return self._spare.score(crops)


def tell(fact: str, spare: Scorer) -> None:
    """Say that the spare engine goes on."""
    logger.warning("%s; %s goes on, with the same scores", fact, spare.description)
