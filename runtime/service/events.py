"""Events: what is told at the moment in which it happens, to whoever listens.

What is in an event is decided by privacy. It goes over networks and into logs that nobody empties,
so it holds nothing that could tell who somebody is: no picture, no face, no place in the picture,
no score, no name of a sealed object. Its id is 128 random bits that stand nowhere else, for telling
a message that comes twice; no key leads from it to a shot. Times are whole seconds.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Literal, Protocol

import msgspec
from msgspec import Struct

from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.service.state import State


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened."""

    kind: Literal["person", "camera", "alarm", "service"]
    camera: str = ""
    state: str = ""
    """Of a camera its phase; of an alarm ``on`` or ``off``; of the service ``started``,
    ``reloaded`` or ``stopped``."""
    alarm: str = ""
    """Such as ``upload-stuck``."""
    text: str = ""
    """For people."""
    time: datetime = msgspec.field(default_factory=lambda: utc_now().replace(microsecond=0))
    id: str = msgspec.field(default_factory=lambda: secrets.token_hex(16))


class Outlet(Protocol):
    """Where events go; no call takes long, whatever the other side does."""

    def tell(self, event: Event) -> None:
        """Take an event."""

    def show(self, state: State) -> None:
        """Take how the service is; asked every few seconds."""

    def problem(self) -> str:
        """Return why nothing gets through at present; empty where it does."""

    def close(self) -> None:
        """Send what waits, for a moment at most, and end."""


def as_json(event: Event) -> bytes:
    """Return an event as one line of JSON."""
    return msgspec.json.encode(event)
