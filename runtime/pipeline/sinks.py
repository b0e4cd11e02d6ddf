"""Where what was seen goes: the vault, an inspection, a progress bar are sinks, each for itself.

A new output is a new sink. It knows the types of this module, and no stage and no other sink.
"""

from __future__ import annotations

from dataclasses import dataclass

from sealshot.runtime.types import Floats, Frame, Ratings, Shot, Tracks


@dataclass(frozen=True, eq=False)
class Seen:
    """What one frame gave."""

    frame: Frame
    tracks: Tracks
    ratings: Ratings
    """Of each of ``tracks.seen``."""
    due: tuple[Shot, ...]
    """Shots to be sealed now: a person's first, or a better one in its place."""
    people: int
    """People seen so far, those in view included."""

    @property
    def scores(self) -> Floats:
        """``float32 [n]``, one for each of ``tracks.seen``: what the choice in a track goes by."""
        return self.ratings.order


@dataclass(frozen=True, eq=False)
class Beat:
    """What time alone gave, while no frame came."""

    time_s: float
    """Seconds since the first frame, by the clock of the frames."""
    ended: tuple[int, ...]
    """Tracks that ended."""
    due: tuple[Shot, ...]
    """Shots to be sealed now."""
    people: int
    """People seen so far."""


@dataclass(frozen=True, eq=False)
class End:
    """What the end gave, and how it came."""

    ended: tuple[int, ...]
    """The tracks that were still open."""
    due: tuple[Shot, ...]
    """The last shots to be sealed."""
    people: int
    """All people seen."""
    interrupted: bool
    """Whether somebody asked for it."""
    failure: Exception | None
    """What broke: source, engine or a sink."""


class Sink:
    """Takes what a watch gives; by itself it does nothing with it.

    The thread that watches calls one sink after the other, in the order of the frames: ``seen`` for
    each frame, ``beat`` at least once a second while a live source gives none, ``end`` once, last,
    also after Ctrl-C or a failure. What takes long holds the frames up: hand it to a thread.

    A sink that raises ends the watch and is not called again; the others get this item and the end
    all the same. A shot that is due comes once: who takes it has to keep it.
    """

    wants_decoded: bool = False
    """Whether it needs :attr:`Frame.decoded`, which holds memory and where no sink wants it is
    let go when a frame was read."""

    def seen(self, seen: Seen) -> None:
        """Take what a frame gave."""

    def beat(self, beat: Beat) -> None:
        """Take that time went on without a frame."""

    def end(self, end: End) -> None:
        """Take the end."""
