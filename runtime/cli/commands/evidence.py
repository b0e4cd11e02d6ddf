"""`sealshot evidence`: opened shots with all that proves them, in a file that is checked alone."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from sealshot.runtime.age import age
from sealshot.runtime.cli.arguments import Arguments, file_in_folder, run_action
from sealshot.runtime.cli.commands.objects import expand, in_scope
from sealshot.runtime.cli.commands.parties import read_rewraps
from sealshot.runtime.cli.terminal import Prompter, fail, note, say, say_json, table, warn
from sealshot.runtime.cli.words import claimed, counted
from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.seal import c2pa
from sealshot.runtime.seal.ceremony import parse_answer
from sealshot.runtime.seal.certificates import Certificate
from sealshot.runtime.seal.checkpoint import CHECKPOINT_LIMIT, parse_checkpoint, read_newest
from sealshot.runtime.seal.container import Header, read_container
from sealshot.runtime.seal.cosign import cosigned
from sealshot.runtime.seal.custody import CLOCKS, Account, Exhibit
from sealshot.runtime.seal.documents import named, read_file, write_file
from sealshot.runtime.seal.entries import KeyChanged, Sealed
from sealshot.runtime.seal.evidence import THE_ZIP, Checked, check_evidence, write_evidence
from sealshot.runtime.seal.keys import read_openers
from sealshot.runtime.seal.log_lines import verified_entries
from sealshot.runtime.seal.log_signer import certificate_in
from sealshot.runtime.seal.merkle import hash_leaf
from sealshot.runtime.seal.party import Party, read_party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.proof import Proof
from sealshot.runtime.seal.signing import parse_verify_key
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.tiles import Tiles
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.seal.warrant import WARRANT_LIMIT, Warrant, parse_warrant
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.store import SEALED

USAGE = """\
usage: sealshot evidence export OBJECT... --warrant FILE --policy FILE --identity FILE
                                --answer FILE... -o FILE.zip [--log LOG] [--checkpoint FILE]...
                                [--rewrap FILE]... [--c2pa [FILE.pem]]
       sealshot evidence verify FILE.zip [--policy FILE] [--camera FILE.pub]...
                                [--witness FILE.pub]... [--json]

export  Write the shots that the warrant is for and that the answers open, with all that shows what
        they are: as they were sealed, the warrant, the answers out of their seals, the pictures, a
        proof that the camera's log has each shot, which shows no other, and index.html, the chain
        of custody to read and to print. FILE.zip HOLDS PLAIN FACES, and what opens these shots.
        The answers must be for these shots alone: where they are for more, have a request for
        these answered with --again.
verify  Check all of that: no secret key, no network, no log and no vault is needed. What is wrong
        is named, and the exit code is 2.

OBJECT             a sealed object, or a vault (or a day of it) for all that is in it
--log LOG          the camera's log (default: `log` in the vault that an OBJECT lies in)
--checkpoint FILE  of that log, kept elsewhere: the proofs are by the oldest that has the shots
--rewrap FILE      by which an authority gave its shares to those that came after; may be repeated
--c2pa [FILE.pem]  lay a C2PA manifest beside each picture, for tools that show where pictures come
                   from. FILE.pem signs: a private key and its certificates. Without it a key of
                   this export does, which no reader trusts: it binds the picture to what is said
                   of it, and the proof stays the sealed shot. Needs `pip install 'sealshot[c2pa]'`
--policy FILE      verify: the policy that it must be under
--camera FILE.pub  verify: the camera that it must be of; may be repeated
--witness FILE.pub verify: who must have cosigned the checkpoints; may be repeated
--json             print what was found, for machines

examples:
  sealshot evidence export vault/ --warrant w.json --policy policy.toml --identity me.key \\
      --answer judge.answer --answer police.answer --answer custodian.answer -o case.zip
  sealshot evidence verify case.zip --policy policy.toml --camera cam1.pub
"""

SHOT = "shot"
_ONE_TIME = Path()
EVIDENCE_LIMIT = 1024 * 1024 * 1024  # bytes; a shot takes about 60 kB of it


def main(argv: list[str]) -> int:
    """Run `sealshot evidence`."""
    return run_action("evidence", USAGE, {"export": _export, "verify": _verify}, argv)


def _export(argv: list[str]) -> int:
    arguments = Arguments("evidence export", USAGE)
    add = arguments.add_argument
    add("objects", nargs="+", type=Path)
    add("--warrant", type=Path, required=True)
    add("--policy", type=Path, required=True)
    add("--identity", action="append", required=True)
    add("--answer", action="append", type=Path, required=True)
    add("--rewrap", action="append", type=Path, default=[])
    add("--log", type=Path)
    add("--checkpoint", action="append", type=Path, default=[])
    add("--c2pa", nargs="?", type=Path, const=_ONE_TIME)
    add("-o", dest="output", type=file_in_folder, required=True)
    given = arguments.parse_args(argv)
    if given.output.exists():
        raise InputError(f"{given.output} exists", hint="give another file with -o")
    prompter = Prompter()
    identities = [one for file in given.identity for one in read_openers(file, prompter)]
    warrant_file = read_file(given.warrant, "warrant", WARRANT_LIMIT)
    with named(given.warrant):
        warrant = parse_warrant(warrant_file)
    newest = read_policy(given.policy)
    policy = newest.of(warrant.policy) or newest  # what was ordered then stays evidence
    answers = [_answer(path, warrant, policy, identities) for path in given.answer]
    rewraps = [
        (one.authority.name, one.document.encode()) for one in read_rewraps(given.rewrap, policy)
    ]
    objects = {one.name: one for place in given.objects for one in expand(place)}
    kept = [read_file(path, "checkpoint", CHECKPOINT_LIMIT) for path in given.checkpoint]
    found: dict[Path, dict[str, tuple[Header, bytes]]] = {}
    for one in in_scope(list(objects.values()), warrant, policy):
        path = Path(one.name)
        with named(path):
            sealed = one.read()
            header = read_container(sealed).header
            if header.content != SHOT:
                note(f"{path.name} left out: it is no shot, but {header.content}")
                continue
        log = given.log or path.resolve().parent.parent / LOG
        found.setdefault(log, {})[f"{header.epoch}/{header.id}{SEALED}"] = (header, sealed)
    shots = {}
    for log, of_log in found.items():
        proofs = _prove(log, of_log, kept)
        for place, (header, sealed) in of_log.items():
            shots[header.id] = sealed, proofs[place].encode()
    data, account = write_evidence(
        policy, warrant_file, answers, shots, utc_now(), _manifests(given.c2pa), rewraps
    )
    write_file(given.output, data, mode=0o600)
    warn(f"{given.output} HOLDS PLAIN FACES, and the secrets that open these shots")
    count, case = len(account.exhibits), warrant.case
    note(f"{counted(count, 'shot')} of case {case}; `sealshot evidence verify` checks them")
    say(f"{hashlib.sha256(data).hexdigest()}  {given.output}")
    return 0


def _verify(argv: list[str]) -> int:
    arguments = Arguments("evidence verify", USAGE)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--policy", type=Path)
    arguments.add_argument("--camera", action="append", type=Path, default=[])
    arguments.add_argument("--witness", action="append", type=Path, default=[])
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    witnesses = [read_party(path, "witness") for path in given.witness]
    policy = read_policy(given.policy) if given.policy else None
    parties = (one for file in given.camera for one in read_party(file, "camera").under_each_key)
    cameras = {str(one.verify_key) for one in parties}
    checked = check_evidence(read_file(given.file, "file of evidence", EVIDENCE_LIMIT))
    if checked.account:
        _compare(checked, checked.account, policy, cameras)
        _ask_witnesses(checked, checked.account, witnesses)
    for wrong in checked.wrong:
        place = given.file if wrong.member == THE_ZIP else wrong.member
        fail(SealError(f"{place}: {wrong.what}", hint=wrong.hint))
    if given.json:
        say_json(_as_json(checked))
    elif checked.account and not checked.wrong:
        _print_manifests(checked)
        _print(checked.account, witnesses)
    if not checked.wrong and not checked.page_checked:
        warn(
            "index.html is of another version of sealshot and is not checked: believe this instead"
        )
    if not checked.wrong and None in checked.manifests.values():
        warn("its C2PA manifests are not checked: pip install 'sealshot[c2pa]'")
    if not checked.wrong and not (given.policy and given.camera):
        note(
            "by which keys it was made is not checked: compare them, or give --policy and --camera"
        )
    return 2 if checked.wrong else 0


def _manifests(place: Path | None) -> Callable[[Exhibit], bytes] | None:
    """Return what writes C2PA manifests, with the credential in a file, or one made for this."""
    if place is None:
        return None
    if place == _ONE_TIME:
        credential = c2pa.one_time_credential()
    else:
        data = read_file(place, "key and certificates", c2pa.CREDENTIAL_LIMIT)
        with named(place):
            credential = c2pa.read_credential(data)
    return partial(c2pa.write_manifest, credential=credential)


def _prove(
    path: Path, shots: Mapping[str, tuple[Header, bytes]], kept: Sequence[bytes]
) -> dict[str, Proof]:
    """Verify the log of a camera by the key that signed the shots, and prove that it has each.

    Args:
        path: the log.
        shots: their places in the vault, to header and container.
        kept: checkpoints of the log that were kept elsewhere.

    Raises:
        SealError: it has one not, or has other bytes under its name.
    """
    header = next(iter(shots.values()))[0]
    newest = read_newest(path)
    key, notes = parse_verify_key(header.camera_key), [newest, *kept]
    sizes = [(parse_checkpoint(note, key).size, note) for note in notes]
    lines: dict[str, tuple[int, bytes, Sealed, Certificate | None]] = {}
    tiles, certificate = Tiles(proving=[size for size, _ in sizes]), None
    for line, entry in verified_entries(path, header.camera, key, notes):
        if isinstance(entry, KeyChanged):
            certificate = certificate_in(entry)
        if isinstance(entry, Sealed) and entry.id in shots:
            lines[entry.id] = tiles.size, line, entry, certificate
            tiles.keep()
        tiles.add(hash_leaf(line))
    proofs = {}
    for place, (header, sealed) in shots.items():
        with named(Path(f"{header.id}{SEALED}")):
            if place not in lines:
                raise SealError("the log of its camera does not know it", "give its camera's --log")
            index, line, entry, signer = lines[place]
            if entry.sha256 not in ("", hashlib.sha256(sealed).hexdigest()):
                raise SealError(
                    "it is not the shot that the log of its camera has: other bytes, under its "
                    "name",
                    hint="the camera's key may be stolen: ask its keeper",
                )
        # the oldest that has it: the earlier the log is known to have had it, the better; of
        # two of one size that with more cosignatures
        size, note = min(
            (found for found in sizes if found[0] > index),
            key=lambda found: (found[0], -len(found[1])),
        )
        proofs[place] = Proof(line, index, tuple(tiles.proof(index, size)), note, signer)
    return proofs


def _answer(
    path: Path, warrant: Warrant, policy: Policy, identities: Sequence[age.Identity]
) -> tuple[str, bytes]:
    """Return who answered, and the document out of its seal."""
    with named(path):
        document = age.decrypt(read_file(path, "answer"), identities)
        return parse_answer(document, warrant, policy).party.name, document


def _compare(checked: Checked, account: Account, policy: Policy | None, cameras: set[str]) -> None:
    """Take down where it is under another policy, or of another camera, than it should be."""
    if policy and policy.of(account.policy.digest) is None:
        checked.add("policy.toml", "it is another policy than the one given")
    for exhibit in account.exhibits:
        if cameras and exhibit.header.camera_key not in cameras:
            what = f"it is of {exhibit.header.camera}, with another key than those given"
            checked.add(f"shots/{exhibit.header.id}{SEALED}", what)


def _ask_witnesses(checked: Checked, account: Account, witnesses: Sequence[Party]) -> None:
    """Take down where a witness has not cosigned."""
    for exhibit in account.exhibits:
        there = cosigned(exhibit.note, witnesses)
        for witness in witnesses:
            if witness.name not in there:
                what = f"its checkpoint is not cosigned by the witness {witness.name}"
                checked.add(f"shots/{exhibit.header.id}.tlog-proof", what)


def _print(account: Account, witnesses: Sequence[Party]) -> None:
    table(
        ("exhibit", "camera", "taken", "by", ">log entry", "sha256 of the sealed shot"),
        [
            (
                one.header.id,
                one.header.camera,
                one.opened.metadata.utc,
                CLOCKS.get(one.opened.metadata.clock, one.opened.metadata.clock),
                _place(one),
                one.sha256,
            )
            for one in account.exhibits
        ],
    )
    for one in account.exhibits:
        if not one.has_hash:
            note(f"{one.header.id}: its log has its name, not its hash (version 0.1)")
        for name, when in cosigned(one.note, witnesses).items():
            say(f"{one.header.id}: in the log at {format_time(when)}, as {name} has witnessed")
    warrant = account.warrant
    given = ", ".join(f"{name} at {format_time(when)}" for name, _, when in account.answers)
    say(f"case {warrant.case}, signed by {', '.join(account.signed)}; released by {given}")
    say(f"policy {account.policy.digest}")
    for camera in warrant.cameras:
        say(f"camera {camera.name} {camera.verify_key}")
    if count_claimed := sum(one.opened.metadata.is_claimed for one in account.exhibits):
        warn(claimed(count_claimed))
    shots = counted(len(account.exhibits), "shot")
    say(f"{shots}: all of it is what was sealed, logged, ordered and released")


def _print_manifests(checked: Checked) -> None:
    found = Counter(filter(None, checked.manifests.values()))
    for manifest, count in found.items():
        trust = "trusted" if manifest.is_trusted else "whom C2PA's list of trust does not have"
        say(f"C2PA: {counted(count, 'manifest')} valid, signed by {manifest.signer} ({trust})")


def _place(exhibit: Exhibit) -> str:
    return f"{exhibit.entry} of {exhibit.checkpoint.size}"


def _as_json(checked: Checked) -> dict[str, object]:
    account = checked.account
    return {
        "ok": not checked.wrong,
        "wrong": [{"member": wrong.member, "what": wrong.what} for wrong in checked.wrong],
        "case": account.warrant.case if account else None,
        "policy": account.policy.digest if account else None,
        "cameras": {c.name: str(c.verify_key) for c in account.warrant.cameras} if account else {},
        "signed": account.signed if account else [],
        "released": [
            {"party": name, "role": role, "time": format_time(when)}
            for name, role, when in (account.answers if account else ())
        ],
        "c2pa": {
            name: {"signer": manifest.signer, "trusted": manifest.is_trusted} if manifest else None
            for name, manifest in checked.manifests.items()
        },
        "exhibits": [
            {
                "id": one.header.id,
                "signed_on": one.signed_on,
                "camera": one.header.camera,
                "taken": one.opened.metadata.utc,
                "clock": one.opened.metadata.clock,
                "sha256": one.sha256,
                "entry": one.entry,
                "log_size": one.checkpoint.size,
                "checkpoint": one.note.decode(),
            }
            for one in (account.exhibits if account else ())
        ],
    }
