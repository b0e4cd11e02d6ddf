"""Warnings that are told when they come up, not each time that they are found again."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)


class Notices:
    """Remembers what was told last on each topic."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def tell(self, topic: str, warning: str) -> None:
        """Log a warning unless its topic stands at one already; nothing ends the topic."""
        if warning and not self._told.get(topic):
            logger.warning("%s", warning)
        self._told[topic] = warning
