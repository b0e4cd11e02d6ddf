"""`sealshot log`: verify a log, take a checkpoint of it, show it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, run_action
from sealshot.runtime.cli.commands.witness import read_keeper
from sealshot.runtime.cli.terminal import note, say, say_json, table
from sealshot.runtime.cli.words import counted
from sealshot.runtime.seal.checkpoint import CHECKPOINT_LIMIT, parse_checkpoint, read_newest
from sealshot.runtime.seal.documents import read_file
from sealshot.runtime.seal.entries import Entry, values_of
from sealshot.runtime.seal.log_lines import verified_entries

USAGE = """\
usage: sealshot log verify LOG --of FILE.pub [--checkpoint FILE]...
       sealshot log checkpoint LOG --of FILE.pub
       sealshot log show LOG --of FILE.pub [--json]

verify      Check that each entry was written by the keeper of the log, that none was altered, put
            in, taken out, moved or cut off since its newest checkpoint, and since each checkpoint
            given. If one was, it says which, and the exit code is 1.
checkpoint  Verify, then print the newest checkpoint: keep it on another machine. Who keeps one can
            show later that what it covers was changed, also by the keeper of the log.
            The key that other verifiers know its signer by is told beside it.
show        Verify, then print the entries.

--of FILE.pub      the public key of the camera, authority or custodian that keeps the log
--checkpoint FILE  a checkpoint kept earlier; may be repeated

example:
  sealshot log checkpoint vault/log --of camera-north.pub > kept.checkpoint
  sealshot log verify vault/log --of camera-north.pub --checkpoint kept.checkpoint
"""


def main(argv: list[str]) -> int:
    """Run `sealshot log`."""
    actions = {"verify": _verify, "checkpoint": _checkpoint, "show": _show}
    return run_action("log", USAGE, actions, argv)


def _verify(argv: list[str]) -> int:
    arguments = _arguments("verify")
    arguments.add_argument("--checkpoint", action="append", type=Path, default=[])
    given = arguments.parse_args(argv)
    kept = [read_file(path, "checkpoint", CHECKPOINT_LIMIT) for path in given.checkpoint]
    size = sum(1 for _ in _entries(given.log, given.of, kept))
    length = given.log.stat().st_size
    what = f"{counted(size, 'entry', 'entries')}, {counted(len(kept) + 1, 'checkpoint')}"
    say(f"{what}: nothing was changed ({length:,} bytes)")
    return 0


def _checkpoint(argv: list[str]) -> int:
    given = _arguments("checkpoint").parse_args(argv)
    for _ in _entries(given.log, given.of, []):
        pass
    newest = read_newest(given.log)
    say(newest.decode().removesuffix("\n"))
    known = parse_checkpoint(newest, read_keeper(given.of).verify_key).vkey
    note(f"other verifiers of notes (C2SP) know who signs it by {known}")
    return 0


def _show(argv: list[str]) -> int:
    arguments = _arguments("show")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    entries = [values_of(entry) for entry in _entries(given.log, given.of, [])]
    if given.json:
        say_json(entries)
    else:
        table(
            (">entry", "time", "event", "what"),
            [
                (
                    str(number),
                    str(entry.get("time", "")),
                    str(entry.get("event", "")),
                    ", ".join(f"{k} {v}" for k, v in entry.items() if k not in ("time", "event")),
                )
                for number, entry in enumerate(entries, 1)
            ],
        )
        note(counted(len(entries), "entry", "entries"))
    return 0


def _arguments(action: str) -> Arguments:
    arguments = Arguments(f"log {action}", USAGE)
    arguments.add_argument("log", type=Path)
    arguments.add_argument("--of", type=Path, required=True)
    return arguments


def _entries(path: Path, public: Path, kept: list[bytes]) -> Iterator[Entry]:
    """Verify a log, and yield its entries on the way."""
    notes = [read_newest(path), *kept]
    party = read_keeper(public)
    for _, entry in verified_entries(path, party.name, party.verify_key, notes):
        yield entry
