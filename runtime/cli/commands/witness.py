"""`sealshot witness`: cosign the checkpoints of somebody else's log."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, file_in_folder, run_action
from sealshot.runtime.cli.commands.parties import (
    add_name,
    read_signing_key,
    write_party,
    write_signing_key,
)
from sealshot.runtime.cli.terminal import note, say
from sealshot.runtime.cli.words import counted
from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.files import make_folder
from sealshot.runtime.seal.checkpoint import (
    CHECKPOINT_LIMIT,
    CHECKPOINT_SUFFIX,
    LogError,
    parse_checkpoint,
)
from sealshot.runtime.seal.cosign import cosign
from sealshot.runtime.seal.documents import named, read_file, write_file
from sealshot.runtime.seal.log_lines import verified_entries
from sealshot.runtime.seal.mldsa import MlDsaSigningKey
from sealshot.runtime.seal.party import Party, read_party
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.times import utc_now

USAGE = """\
usage: sealshot witness new FILE.key [--name NAME]
       sealshot witness cosign CHECKPOINT --log LOG --of FILE.pub --key FILE.key -o FILE

Whoever keeps a log can show one to the one and another to the other. A witness, on a machine of its
own, signs at which time it saw which state of it, and never one that contradicts an earlier one.

new     Make the key of a witness. FILE.key is secret and stays; FILE.pub goes to who verifies.
        It is for Ed25519 and, beside it, ML-DSA-44: what a witness has cosigned stays proven when
        quantum computers forge the log's own signatures.
cosign  Check that LOG, a copy of a camera's, an authority's or the custodian's log, is what
        CHECKPOINT says, and that it goes on from what was cosigned before, which is kept in
        FILE.seen beside the key. Then write the checkpoint with the cosignature and its time to -o:
        `log verify --checkpoint`, `evidence export --checkpoint` and `evidence verify --witness`
        take it.

--name NAME    of the witness (default: FILE)
--of FILE.pub  the public key of the keeper of the log

examples:
  sealshot witness new court.key
  sealshot witness cosign vault/log.checkpoint --log vault/log --of cam1.pub --key court.key \\
      -o cam1.checkpoint
"""

ROLES = ("camera", "authority", "custodian")


def main(argv: list[str]) -> int:
    """Run `sealshot witness`."""
    return run_action("witness", USAGE, {"new": _new, "cosign": _cosign}, argv)


def _new(argv: list[str]) -> int:
    arguments = Arguments("witness new", USAGE)
    arguments.add_argument("file", type=Path)
    add_name(arguments)
    given = arguments.parse_args(argv)
    key, public = SigningKey.generate(), given.file.with_suffix(".pub")
    mldsa = MlDsaSigningKey.beside(key).verify_key
    party = Party("witness", given.name or given.file.stem, key.verify_key, mldsa_key=mldsa)
    write_party(public, party, key, lambda: write_signing_key(given.file, key))
    say(str(public))
    return 0


def _cosign(argv: list[str]) -> int:
    arguments = Arguments("witness cosign", USAGE)
    add = arguments.add_argument
    add("checkpoint", type=Path)
    add("--log", type=Path, required=True)
    add("--of", type=Path, required=True)
    add("--key", type=Path, required=True)
    add("-o", dest="output", type=file_in_folder, required=True)
    given = arguments.parse_args(argv)
    key = read_signing_key(given.key)
    witness = read_party(given.key.with_suffix(".pub"), "witness", own=True)
    if witness.verify_key != key.verify_key:
        raise InputError(f"{given.key} is not the key of its .pub file", hint="check the path")
    keeper = read_keeper(given.of)
    given_note = read_file(given.checkpoint, "checkpoint", CHECKPOINT_LIMIT)
    with named(given.checkpoint):
        new = parse_checkpoint(given_note, keeper.verify_key)
    folder = given.key.with_suffix(".seen")
    seen, notes = folder / (keeper.name + CHECKPOINT_SUFFIX), [given_note]
    if seen.exists():
        notes.append(read_file(seen, "checkpoint", CHECKPOINT_LIMIT))
        before = parse_checkpoint(notes[1], keeper.verify_key).size
        if new.size < before:
            raise LogError(
                f"the checkpoint has {new.size} entries, and one with {before} was cosigned before",
                "the log was set back, or this is an old checkpoint: give the newest",
            )
    for _ in verified_entries(given.log, keeper.name, keeper.verify_key, notes):
        pass
    now, signed = utc_now(), given_note
    for one in (key, MlDsaSigningKey.beside(key)):
        signed = cosign(signed, witness.name, one, now)
    make_folder(folder, "give the key a folder that can be written to")
    write_file(seen, given_note)  # first: what is given out must never be forgotten
    write_file(given.output, signed)
    entries = counted(new.size, "entry", "entries")
    note(f"{entries} of {keeper.name}, cosigned by {witness.name}: {given.output}")
    return 0


def read_keeper(path: Path) -> Party:
    """Read the .pub file of whoever keeps a log.

    Raises:
        InputError: it is none.
    """
    wrong: list[SealError] = []
    for role in ROLES:
        try:
            return read_party(path, role)
        except SealError as error:
            wrong.append(error)
    raise InputError(f"{path} is not a .pub file of who keeps a log", hint=wrong[0].hint)
