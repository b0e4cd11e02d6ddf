"""`sealshot vault list`: the sealed objects of a folder, or of a bucket."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.terminal import note, say_json, table
from sealshot.runtime.cli.words import counted
from sealshot.runtime.seal.times import format_time
from sealshot.runtime.vault.bucket import open_bucket
from sealshot.runtime.vault.s3 import SCHEME
from sealshot.runtime.vault.store import list_objects


def list_vault(arguments: Arguments, argv: list[str]) -> int:
    """Show the objects, oldest first."""
    arguments.add_argument("vault", metavar="VAULT")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    if not given.vault.startswith(SCHEME):
        here = list_objects(Path(given.vault))
        return _show([(one.id, one.bytes, one.sealed_at) for one in here], "sealed", given.json)
    bucket = open_bucket(given.vault)
    there = bucket.objects(bucket.epochs())
    return _show([(one.id, one.bytes, one.stored_at) for one in there], "stored", given.json)


def _show(objects: Iterable[tuple[str, int, datetime]], did: str, json: bool) -> int:
    """Show identifier, size and time of objects.

    Args:
        objects: which.
        did: what happened at their times: a bucket knows when it got an object.
        json: whether for machines.
    """
    rows = [(name, size, format_time(time)) for name, size, time in objects]
    if json:
        say_json([{"id": name, "bytes": size, f"{did}_at": time} for name, size, time in rows])
        return 0
    table(("object", ">bytes", f"{did} at"), [(n, f"{size:,}", time) for n, size, time in rows])
    note(f"{counted(len(rows), 'object')}, {sum(size for _, size, _ in rows):,} bytes")
    return 0
