"""Write a log, checkpoints of it and proofs into a folder, and print the key that verifies them."""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path

from sealshot.runtime.seal.checkpoint import ORIGIN, checkpoint_path
from sealshot.runtime.seal.entries import Sealed
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.log_lines import lines_in
from sealshot.runtime.seal.merkle import hash_leaf
from sealshot.runtime.seal.proof import Proof
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.tiles import Tiles

NAME, ENTRIES, EARLY = "cam1", 70_000, 777
"""Tiles of three levels, and an edge that no full tile covers."""


def main(folder: Path) -> None:
    """Write it all."""
    key, path = SigningKey.generate(), folder / "log"
    entries = [Sealed("2026-11-21T10", f"2026-11-21/{n:032x}.sealed") for n in range(ENTRIES)]
    with Log(path, NAME, key) as log:
        log.append(*entries[:EARLY])
        (folder / "early").write_bytes(checkpoint_path(path).read_bytes())
        log.append(*entries[EARLY:])
    tiles, note = Tiles(), checkpoint_path(path).read_bytes()
    lines = list(lines_in(path))
    for line in lines:
        tiles.add(hash_leaf(line))
    for at in (0, 255, 256, 65_535, 65_536, ENTRIES - 1):
        proof = Proof(lines[at], at, tuple(tiles.proof(at, ENTRIES)), note)
        (folder / f"{at}.proof").write_bytes(proof.encode())
    origin, public = ORIGIN + NAME, b"\x01" + key.verify_key.key
    number = hashlib.sha256(origin.encode() + b"\n" + public).hexdigest()[:8]
    print(f"{origin}+{number}+{base64.b64encode(public).decode()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
