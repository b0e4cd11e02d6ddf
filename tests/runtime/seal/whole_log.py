"""A log that a test has in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sealshot.runtime.seal.log_lines import verified_entries
from sealshot.runtime.seal.merkle import Tree
from sealshot.runtime.seal.signing import VerifyKey


def verify_log(data: bytes, name: str, key: VerifyKey, notes: Sequence[bytes]) -> Tree:
    """Verify it as ``verified_entries`` does one in a file; return its tree."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(data)
        return Tree(line for line, _ in verified_entries(path, name, key, notes))
