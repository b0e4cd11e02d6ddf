"""What is known of a video beside its pictures."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Facts(Protocol):
    """What a file or a stream says of itself, and how reading it goes."""

    fps: float | None
    """Nominal frames per second, where the container gives a credible one."""
    frames: int | None
    """How many frames there should be: good for a progress bar, for nothing else."""
    end_s: float | None
    """The stamp at which the container says that the pictures end."""
    created: datetime | None
    """When the first picture was taken, where the container says so credibly."""

    @property
    def moves(self) -> bool:
        """Whether the compressed pictures say that something changes from one to the next."""

    @property
    def damaged(self) -> int:
        """Packets and pictures that could not be decoded so far."""
