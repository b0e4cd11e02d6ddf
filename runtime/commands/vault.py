"""`sealshot vault`: list what a vault holds."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.arguments import Arguments
from sealshot.runtime.terminal import note, say_json, table
from sealshot.runtime.vault import VaultObject, list_objects

USAGE = """\
usage: sealshot vault list VAULT [--json]

list    Show the sealed objects of a vault, oldest first: id, size, and when each was sealed. It
        needs no key, and what is inside stays unknown.

--json  Print a list of objects with "id", "bytes" and "sealed_at".

example:
  sealshot vault list vault/
"""


def main(argv: list[str]) -> int:
    """Run `sealshot vault`."""
    arguments = Arguments("vault", USAGE)
    arguments.add_argument("action", metavar="ACTION", choices=("list",))
    arguments.add_argument("vault", metavar="VAULT", type=Path)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    objects = list_objects(given.vault)
    if given.json:
        say_json([{"id": o.id, "bytes": o.bytes, "sealed_at": _time(o)} for o in objects])
    else:
        table(
            ("object", ">bytes", "sealed at"), [(o.id, f"{o.bytes:,}", _time(o)) for o in objects]
        )
        note(f"{len(objects)} objects, {sum(o.bytes for o in objects):,} bytes")
    return 0


def _time(sealed: VaultObject) -> str:
    return sealed.sealed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
