"""`sealshot run` on a clip, in this process: says whom it followed, and which shots it sealed.

    python -m sealshot.benchmarks.speed.peers.ours CLIP

Prints what :mod:`sealshot.benchmarks.speed.peers.theirs` prints.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.pipeline.run import run
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import End, Seen, Sink
from sealshot.runtime.types import Shot
from sealshot.runtime.vault.keeper import Sealing

RULE = "quality"


class Noted(Sink):
    """Notes boxes of tracks, and of each the last shot, which took the place of those before."""

    def __init__(self) -> None:
        self.first_s = 0.0
        self.times: list[float] = []
        self.tracks: dict[int, list[Any]] = defaultdict(list)
        self.shots: dict[int, Any] = {}

    def seen(self, seen: Seen) -> None:
        """See :class:`Sink`."""
        self.first_s = self.first_s or time.monotonic()
        self.times.append(seen.frame.time_s)
        for track in seen.tracks.seen:
            self.tracks[track.id].append([seen.frame.index, *track.face.box.tolist()])
        self._keep(seen.due)

    def end(self, end: End) -> None:
        """See :class:`Sink`."""
        self._keep(end.due)

    def _keep(self, due: Sequence[Shot]) -> None:
        for shot in due:
            self.shots[shot.track] = [shot.frame, *shot.box]


def main(clip: str) -> None:
    """Run on a clip and print what came of it."""
    noted, to = Noted(), X25519Identity.generate().recipient
    with tempfile.TemporaryDirectory() as folder:
        done = run(Settings(clip), Sealing((to,)), Path(folder), connect=lambda *_: [noted])
    if done.failure:
        raise done.failure
    said = {"frames": done.frames, "seconds": done.seconds, "first_s": noted.first_s}
    print(
        json.dumps(
            said | {"times": noted.times, "tracks": noted.tracks, "shots": {RULE: noted.shots}}
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
