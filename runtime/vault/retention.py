"""Which objects are over their time, and which of them a legal hold keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.times import epoch_end, epoch_start
from sealshot.runtime.vault.holds import Holds
from sealshot.runtime.vault.store import VaultObject


@dataclass(frozen=True, slots=True)
class Over:
    """The objects that are over their time."""

    due: tuple[VaultObject, ...]
    """They go."""
    on_hold: tuple[VaultObject, ...]
    """They stay for a case."""


def has_ended(epoch: str, now: datetime) -> bool:
    """Whether an epoch is over at ``now``: its end is the start of the next one."""
    return epoch_end(epoch) <= now


def end_of(epoch: str, retention: timedelta, policy: Policy | None = None) -> datetime:
    """Return when the time of an epoch's objects is over: counted from its end.

    Args:
        epoch: which.
        retention: how long after it.
        policy: by whose versions it may be over before, see :meth:`Policy.end_of`.
    """
    end = epoch_end(epoch) + retention
    return min(end, policy.end_of(epoch)) if policy else end


def overdue(
    objects: Sequence[VaultObject],
    retention: timedelta,
    now: datetime,
    policy: Policy | None = None,
) -> list[VaultObject]:
    """Return the objects whose time is over, see :func:`end_of`."""
    return [found for found in objects if end_of(found.epoch, retention, policy) <= now]


def find_over(
    objects: Sequence[VaultObject],
    retention: timedelta,
    holds: Holds,
    now: datetime,
    policy: Policy | None = None,
) -> Over:
    """Return the objects that are over their time at ``now``, and what is to become of them."""
    over = overdue(objects, retention, now, policy)
    on_hold = {found.id for found in over if holds.of(found.id)}
    return Over(
        due=tuple(found for found in over if found.id not in on_hold),
        on_hold=tuple(found for found in over if found.id in on_hold),
    )


def ahead_of(objects: Sequence[VaultObject], now: datetime) -> str:
    """Return a warning where objects are of epochs that have not begun; else nothing."""
    ahead = [found.epoch for found in objects if epoch_start(found.epoch) > now]
    if not ahead:
        return ""
    return (
        f"{len(ahead)} shot{'s are' if len(ahead) != 1 else ' is'} of an epoch to come, up to "
        f"{max(ahead)}: the clock was wrong when they were sealed, and they are kept longer than "
        "promised"
    )
