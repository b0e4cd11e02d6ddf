"""Write a camera's log, checkpoints of it and proofs into a folder, and print the key of those.

The key of the camera turns once, and that of its checkpoints stays, for others know that one.
"""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path

from sealshot.runtime.seal.checkpoint import checkpoint_path, parse_checkpoint
from sealshot.runtime.seal.day_keys import DayKeys, enrol
from sealshot.runtime.seal.entries import Sealed
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.log_lines import lines_in
from sealshot.runtime.seal.merkle import hash_leaf
from sealshot.runtime.seal.proof import Proof
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.tiles import Tiles

NAME, ENTRIES, EARLY = "cam1", 70_000, 777
"""Tiles of three levels, and an edge that no full tile covers."""
FIRST = datetime(2026, 11, 21, tzinfo=timezone.utc)


def main(folder: Path) -> None:
    """Write it all."""
    enrol(folder, SigningKey.generate(), FIRST, days=2)
    keys, path = DayKeys(folder), folder / "log"
    today, tomorrow = keys.today, keys.on(keys.last)
    entries = [Sealed("2026-11-22T10", f"2026-11-22/{n:032x}.sealed") for n in range(ENTRIES - 2)]
    with Log(path, NAME, keys) as log:
        log.append(*entries[: EARLY - 1])
        (folder / "early").write_bytes(checkpoint_path(path).read_bytes())
        log.turn(tomorrow, "2026-11-22T10")
        log.append(*entries[EARLY - 1 :])
    tiles, note = Tiles(), checkpoint_path(path).read_bytes()
    lines = list(lines_in(path))
    for line in lines:
        tiles.add(hash_leaf(line))
    for at in (0, 255, 256, 65_535, 65_536, ENTRIES - 1):
        signer = (today if at <= EARLY else tomorrow).certificate
        proof = Proof(lines[at], at, tuple(tiles.proof(at, ENTRIES)), note, signer)
        if at:  # the first only names the key
            proof.verify(keys.verify_key)
        (folder / f"{at}.proof").write_bytes(proof.encode())
    print(parse_checkpoint(note, keys.verify_key).vkey)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
