"""What reads pictures one after another: a file, a stream or a device, opened once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from sealshot.runtime.errors import InputError
from sealshot.runtime.planes import Planes
from sealshot.runtime.sandbox.facts import Facts
from sealshot.runtime.types import Pixels, Raw


@dataclass(frozen=True, slots=True, eq=False)
class Stated:
    """What a stream says of a picture, to the letter; colours by the numbers of ITU-T H.273."""

    stamp: Fraction | None
    """The time that its container gives, s; None where it gives none."""
    pixel_aspect: Fraction | None
    """Width over height of a pixel as it was decoded; None where nobody says."""
    color_range: int
    colorspace: int
    color_primaries: int
    color_trc: int
    user_data: bytes
    """What was asked for of its packet."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture, as a player shows it: upright, its pixels square."""

    pixels: Pixels
    stamp_s: float | None
    """The time that its container gives, from wherever that counts; None where it gives none."""
    decoded: Raw | Planes | None = None
    """As :attr:`sealshot.runtime.types.Frame.decoded`."""
    stated: Stated | None = None
    """Where ``decoded`` is."""


@dataclass(frozen=True, slots=True, eq=False)
class Coming:
    """A picture that a camera has, and that is read if it is asked for."""

    stamp_s: float | None
    """As :attr:`Picture.stamp_s`."""
    ask: Callable[[bool], None]
    """Asks for it, or for what is newer by then, from any thread; or, if that is true, for the one
    that follows that which was read last, however old it is."""
    skipped: int = 0
    """Pictures since the one before that nobody can have."""


class Reader(Facts, Protocol):
    """Gives pictures. One thread reads; nobody closes it while that thread is in it."""

    def read(self) -> Picture | None:
        """Return the next picture that can be decoded; None at the end and where a stream broke.

        Raises:
            NoVideoError: it broke for a reason that is not in the stream.
        """

    def interrupt(self) -> None:
        """From another thread: let a read that waits end as if the stream broke, if it can be."""

    def close(self) -> None:
        """Free it. A second call does nothing."""


class CameraReader(Facts, Protocol):
    """Gives the pictures of a camera, as a :class:`Reader` does, or says that they are there.

    What was asked for by :class:`Coming` is the one that was said to be there last, or the first
    one since a picture was read. One may ask once for each picture that is read, before there is
    one, too.
    """

    def read(self) -> Picture | Coming | None:
        """Return what is next; see :meth:`Reader.read`."""

    def interrupt(self) -> None:
        """See :meth:`Reader.interrupt`."""

    def close(self) -> None:
        """See :meth:`Reader.close`."""


class NoVideoError(Exception):
    """There is no video, or not now."""

    def __init__(
        self,
        why: str,
        hint: str = "",
        *,
        lasting: bool = False,
        unread: bool = False,
        ours: bool = False,
    ) -> None:
        """Say why.

        Args:
            why: a clause without an address, such as "connection refused".
            hint: what to do about it.
            lasting: whether waiting does not help: a wrong password, no such page, no video.
            unread: whether it failed as it does where a certificate is not believed.
            ours: whether what reads failed: what is read may be in order.
        """
        super().__init__(why)
        self.why, self.hint, self.lasting, self.unread, self.ours = why, hint, lasting, unread, ours

    def refusal(self, name: str, what: str, hint: str) -> InputError:
        """Return what a user is told where it ends a command.

        Args:
            name: of the source.
            what: clause that says what a source is of which this is true.
            hint: where there is none of its own.
        """
        what = "cannot be read" if self.ours else what
        return InputError(f"{name} {what}: {self.why}", hint=self.hint or hint)
