"""The quota of a vault, and who goes when it is reached.

First the shots that a server has acknowledged, or that were never to be uploaded, oldest first;
then those that wait for their upload, oldest first. Shots on legal hold never go, and do not count.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from sealshot.runtime.errors import VaultError
from sealshot.runtime.vault.store import VaultObject

logger = logging.getLogger(__name__)


class Quota:
    """Knows the sizes of all objects, so that not all are looked at for each shot.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._sizes: dict[str, int] = {}  # oldest first
        self._total = 0
        self._pushed_out = [0, 0]  # shots, of them not uploaded
        self._told = False

    def load(self, objects: Iterable[VaultObject]) -> None:
        """Take the objects of the vault, oldest first, in place of what was known."""
        self._sizes = {found.id: found.bytes for found in objects}
        self._total = sum(self._sizes.values())

    def add(self, object_id: str, size: int) -> None:
        """Count an object that was stored."""
        self._sizes[object_id] = size
        self._total += size

    def remove(self, object_ids: Iterable[str]) -> None:
        """Discount objects that are gone."""
        for object_id in object_ids:
            self._total -= self._sizes.pop(object_id, 0)

    def note_pushed_out(self, shots: int, not_uploaded: int) -> None:
        """Count what the quota took; tell of the first at once."""
        self._pushed_out[0] += shots
        self._pushed_out[1] += not_uploaded
        if not self._told:
            self.tell_pushed_out()

    def tell_pushed_out(self) -> None:
        """Tell what the quota took since it was told last."""
        shots, lost = self._pushed_out
        self._pushed_out = [0, 0]
        if not shots:
            return
        self._told = True
        logger.warning(
            "the vault is at its quota of %s bytes: %d of the oldest shots were deleted%s",
            f"{self.limit:,}",
            shots,
            f", {lost} of them not uploaded" if lost else "",
        )

    def over(
        self,
        size: int,
        replaces: str | None,
        is_pending: Callable[[str], bool],
        is_held: Callable[[str], bool] | None = None,
    ) -> list[str]:
        """Return the objects that have to go before one of ``size`` bytes comes.

        Args:
            size: of the object to come.
            replaces: an object that goes anyway.
            is_pending: whether an object waits for its upload.
            is_held: whether an object is on legal hold; None where none is.

        Raises:
            VaultError: it cannot fit, whatever goes.
        """
        if size > self.limit:
            raise VaultError(
                f"a shot of {size:,} bytes is larger than the quota of {self.limit:,}",
                hint="give a larger --quota",
            )
        excess = self._total + size - self.limit - self._sizes.get(replaces or "", 0)
        if excess <= 0:
            return []
        held = {object_id for object_id in self._sizes if is_held and is_held(object_id)}
        excess -= sum(self._sizes[object_id] for object_id in held - {replaces})
        gone: list[str] = []
        last: list[str] = []
        for object_id in self._sizes:
            if excess <= 0:
                return gone
            if object_id == replaces or object_id in held:
                continue
            if is_pending(object_id):
                last.append(object_id)
            else:
                gone.append(object_id)
                excess -= self._sizes[object_id]
        for object_id in last:
            if excess <= 0:
                break
            gone.append(object_id)
            excess -= self._sizes[object_id]
        return gone
