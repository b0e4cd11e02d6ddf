"""`sealshot open`: open sealed shots with an identity, or with the answers of a quorum."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from sealshot.runtime.age import age
from sealshot.runtime.cli.arguments import Arguments, duration
from sealshot.runtime.cli.commands.objects import LATE, Found, expand, expand_bucket, in_scope
from sealshot.runtime.cli.commands.parties import read_rewraps
from sealshot.runtime.cli.terminal import Prompter, fail, note, progress, say_json, table, warn
from sealshot.runtime.cli.words import PERCENTILE, claimed, counted
from sealshot.runtime.errors import InputError, SealError, SealshotError
from sealshot.runtime.files import make_folder, write_atomic
from sealshot.runtime.seal import container
from sealshot.runtime.seal.ceremony import Answer, open_with_answers, read_answer, write_request
from sealshot.runtime.seal.checkpoint import CHECKPOINT_LIMIT
from sealshot.runtime.seal.container import Container, read_container
from sealshot.runtime.seal.documents import named, read_file, write_file
from sealshot.runtime.seal.envelope import unseal
from sealshot.runtime.seal.footage import write_footage
from sealshot.runtime.seal.keys import read_openers
from sealshot.runtime.seal.payload import Metadata, Opened
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.rewrap import Rewrap, lacking
from sealshot.runtime.seal.sheet import write_sheet
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.seal.warrant import (
    Warrant,
    check_hold,
    check_warrant,
    read_warrant,
)
from sealshot.runtime.vault.bucket import Bucket, open_bucket
from sealshot.runtime.vault.logged import Logged, read_logged
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.s3 import SCHEME

USAGE = """\
usage: sealshot open OBJECT... --identity FILE -o DIR [--sheet] [--force] [--json]
       sealshot open OBJECT... --warrant FILE --policy FILE --request FILE [--late TIME]
                     [--rewrap FILE]...
       sealshot open OBJECT... --warrant FILE --policy FILE --identity FILE --answer FILE...
                     [--rewrap FILE]... [--checkpoint FILE]... [--late TIME] -o DIR [--sheet]
                     [--force] [--json]

Open sealed shots. Of each OBJECT, the picture (.jpg or .png), what is known about it (.json) and
its clip (.mkv) are written to DIR, readable by you only. What cannot be opened is reported, the
rest is opened, and the exit code is 2.

What was sealed under a policy takes a warrant: the first step writes a request, which each
authority and the custodian answer on their own machines (`sealshot authority answer`, `sealshot
custodian answer`); the second opens with their answers. What the warrant is not for is left out.
Where the camera's log lies beside the shots, one that is not the shot that was logged is refused.

OBJECT           a sealed object; a vault (or a day of it) for all that is in it; or
                 s3://BUCKET/PREFIX, as uploads filled it: only what the warrant may cover is listed
                 and read by its header, and only what it covers is fetched. Credentials come from
                 the environment
--identity FILE  the private key; - reads it from standard input; may be given several times. Of one
                 in hardware (AGE-PLUGIN-...) its plugin, age-plugin-NAME, opens with it; it may ask
                 to be touched for each shot or answer
--warrant FILE   a warrant that a quorum has signed
--policy FILE    the policy of the cameras
--request FILE   write the request for the shots that the warrant is for
--answer FILE    the answer of an authority or of the custodian; may be repeated
--rewrap FILE    by which an authority of before gave its shares of held shots to those of today
                 (`sealshot authority rewrap`); may be repeated. With --request, and the warrant to
                 hold, it is told whether they are enough
--checkpoint FILE  of the camera's log, kept elsewhere; may be repeated
--late TIME      in a bucket, how long after it was taken a shot was sealed at most (default 1h):
                 who stayed in view for longer, and recordings, were sealed later
-o DIR           the folder to write to; made where it is absent
--sheet          write DIR/sheet.html too: all pictures on one page
--force          overwrite files in DIR
--json           print what was opened, and what was not, for machines

examples:
  sealshot open vault/ --identity authority.key -o out/
  sealshot open vault/ --warrant w.json --policy policy.toml --request request.zip
  sealshot open vault/ --warrant w.json --policy policy.toml --identity me.key \\
      --answer judge.answer --answer police.answer --answer custodian.answer -o out/
  sealshot open s3://bucket/cam1 --warrant w.json --policy policy.toml --request request.zip
"""

SHEET = "sheet.html"
Opener = Callable[[bytes], Opened]


@dataclass(frozen=True)
class Result:
    """What became of one object."""

    name: str
    metadata: Metadata
    files: tuple[Path, ...]
    """What was written, picture first."""


def main(argv: list[str]) -> int:
    """Run `sealshot open`."""
    arguments = Arguments("open", USAGE)
    arguments.add_argument("objects", metavar="OBJECT", nargs="+")
    arguments.add_argument("--identity", action="append", metavar="FILE", default=[])
    arguments.add_argument("-o", dest="folder", type=Path, metavar="DIR")
    arguments.add_argument("--warrant", type=Path)
    arguments.add_argument("--policy", type=Path)
    arguments.add_argument("--request", type=Path)
    arguments.add_argument("--answer", action="append", type=Path, default=[])
    arguments.add_argument("--rewrap", action="append", type=Path, default=[])
    arguments.add_argument("--checkpoint", action="append", type=Path, default=[])
    arguments.add_argument("--late", type=duration)
    arguments.add_argument("--sheet", action="store_true")
    arguments.add_argument("--force", action="store_true")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    if (given.warrant is None) != (given.policy is None):
        arguments.error("--warrant and --policy go together")
    if given.request is None and (given.folder is None or not given.identity):
        arguments.error("the following arguments are required: --identity, -o")

    buckets = {place: open_bucket(place) for place in given.objects if place.startswith(SCHEME)}
    if given.late and not (buckets and given.warrant):
        arguments.error("--late is for a warrant and a bucket (s3://...)")

    prompter = Prompter()
    identities = [one for file in given.identity for one in read_openers(file, prompter)]
    opener: Opener = partial(_open_alone, identities)
    changed: list[tuple[Found, InputError]] = []
    warrant = policy = None
    if given.warrant is not None:
        warrant, policy = read_warrant(given.warrant), read_policy(given.policy)
        if given.request and warrant.purpose == "hold":  # which takes a request too
            check_hold(warrant, policy, utc_now())
        else:
            check_warrant(warrant, policy, utc_now())
    found = {
        one.name: one
        for place in given.objects
        for one in (
            expand_bucket(place, buckets[place], warrant, given.late or LATE)
            if place in buckets
            else expand(Path(place))
        )
    }
    objects = list(found.values())
    count = len(objects)
    if warrant and policy:
        objects = in_scope(objects, warrant, policy)
        count = len(objects)
        rewraps = read_rewraps(given.rewrap, policy)
        if given.request is not None:
            missing, containers = _request(objects, given.request)
            if warrant.purpose == "hold":
                _tell_rewrapped(containers, policy, rewraps)
            _tell_requests(buckets)
            return 2 if missing else 0
        answers = [
            _told(path, read_answer, read_file(path, "answer"), warrant, policy, identities)
            for path in given.answer
        ]
        kept = [read_file(path, "checkpoint", CHECKPOINT_LIMIT) for path in given.checkpoint]
        objects, changed = _as_logged(objects, warrant, kept)
        opener = partial(_open_together, warrant, policy, answers, rewraps)
    made = not given.folder.exists()
    make_folder(given.folder, "name another with -o")
    if given.sheet and not given.force:
        _must_be_new(given.folder / SHEET)
    opened: list[Result] = []
    failed: list[tuple[Found, InputError]] = list(changed)
    names: set[str] = set()
    with progress("opening", len(objects)) as bar:
        for number, one in enumerate(objects):
            bar.update(number)
            name = one.stem
            try:
                shot = opener(one.read())
                files = _write(shot, given.folder, name, force=given.force and name not in names)
            except InputError as error:
                failed.append((one, error))
            else:
                opened.append(Result(one.name, shot.metadata, files))
                names.add(name)

    if made and not opened:
        given.folder.rmdir()
    elif given.sheet:
        shots = [(result.metadata, [file.name for file in result.files]) for result in opened]
        _write_all(given.folder, {SHEET: write_sheet(shots).encode()})
    _tell_failed(failed)
    if given.json:
        say_json(
            {
                "opened": [
                    {
                        "object": result.name,
                        "files": [str(file) for file in result.files],
                        **asdict(result.metadata),
                    }
                    for result in opened
                ],
                "failed": [
                    {"object": one.name, "error": why.fact, "hint": why.hint} for one, why in failed
                ],
            }
        )
    elif opened:
        table(("picture", ">track", "taken at", ">score", ">percentile"), map(_row, opened))
        note(PERCENTILE)
        if warrant and (count_claimed := sum(result.metadata.is_claimed for result in opened)):
            warn(claimed(count_claimed))
    _tell_requests(buckets)
    note(f"{len(opened)} of {count} opened")
    return 2 if failed else 0


def _open_alone(identities: Sequence[age.Identity], sealed: bytes) -> Opened:
    if sealed.startswith(container.START):
        raise InputError(
            "it is sealed to a quorum: no key opens it alone",
            hint="--warrant and --policy; `sealshot open --help` tells the steps",
        )
    return unseal(sealed, identities)


def _open_together(
    warrant: Warrant,
    policy: Policy,
    answers: Sequence[Answer],
    rewraps: Sequence[Rewrap],
    sealed: bytes,
) -> Opened:
    return open_with_answers(read_container(sealed), warrant, policy, answers, rewraps)


def _as_logged(
    objects: list[Found], warrant: Warrant, kept: Sequence[bytes]
) -> tuple[list[Found], list[tuple[Found, InputError]]]:
    """Part the objects into those that are what their vault's log says, and those that are not."""
    logged: dict[Path | None, Logged | None] = {}
    same, changed = [], []
    asked = {"/".join(one.path.parts[-2:]) for one in objects if one.path}
    for one in objects:
        vault = one.path.parent.parent if one.path else None
        if vault not in logged:
            there = vault is not None and (vault / LOG).exists()
            logged[vault] = (
                read_logged(vault / LOG, warrant.cameras, kept, there=asked)
                if vault and there
                else None
            )
            if not there:
                place = vault or "a bucket"
                note(f"there is no log in {place}: whether a shot was replaced is not checked")
        log = logged[vault]
        try:
            wrong = (
                log.differs("/".join(one.path.parts[-2:]), one.read()) if log and one.path else ""
            )
        except InputError as error:
            changed.append((one, error))
            continue
        if wrong:
            changed.append(
                (one, SealError(wrong, "the camera's key may be stolen: ask its keeper"))
            )
        else:
            same.append(one)
    return same, changed


def _request(objects: list[Found], output: Path) -> tuple[int, list[Container]]:
    """Write a request; return how many objects cannot be in it, and those that are."""
    containers = []
    failed = 0
    for one in objects:
        try:
            containers.append(read_container(one.read()))
        except InputError as error:
            failed += 1
            fail(InputError(f"{one.name}: {error.fact}", hint=error.hint))
    write_file(output, write_request(containers))
    note(f"a request for {counted(len(containers), 'shot')}: {output}")
    return failed, containers


def _tell_rewrapped(
    containers: Sequence[Container], policy: Policy, rewraps: Sequence[Rewrap]
) -> None:
    """Say whether the authorities of today open what is held, whichever of them come together."""
    left = Counter(names for one in containers if (names := lacking(one.header, policy, rewraps)))
    for names, count in left.items():
        shots = counted(count, "shot does", "shots do")
        warn(
            f"{shots} not open to each quorum of version {policy.version} of the policy: it takes "
            f"`sealshot authority rewrap` of {' or '.join(names)}"
        )
    if not left and policy.previous:
        note(f"any quorum of version {policy.version} of the policy opens them")


def _tell_requests(buckets: Mapping[str, Bucket]) -> None:
    """Say what the server was asked: it is what one pays for."""
    for url, bucket in buckets.items():
        asked = bucket.requests
        note(
            f"{url}: {counted(asked.total(), 'request')} ({counted(asked['list'], 'listing')}, "
            f"{counted(asked['header'], 'header')}, {counted(asked['object'], 'object')})"
        )


def _told(path: Path, read: Callable[..., Answer], *arguments: object) -> Answer:
    with named(path):
        return read(*arguments)


def _write(shot: Opened, folder: Path, name: str, *, force: bool) -> tuple[Path, ...]:
    """Write the parts of a shot, all or none, readable by the owner only."""
    parts = {f"{name}.{shot.metadata.picture}": shot.picture}
    if shot.clip:
        parts[f"{name}.mkv"] = write_footage(shot)
    parts[f"{name}.json"] = shot.metadata_json
    if not force:
        for part in parts:
            _must_be_new(folder / part)
    return _write_all(folder, parts)


def _must_be_new(path: Path) -> None:
    if os.path.lexists(path):
        raise InputError(f"{path} exists", hint="--force overwrites it, -o gives another folder")


def _write_all(folder: Path, parts: Mapping[str, bytes]) -> tuple[Path, ...]:
    written: list[Path] = []
    try:
        for part, data in parts.items():
            write_atomic(folder / part, data, mode=0o600)
            written.append(folder / part)
    except OSError as error:
        for file in written:
            file.unlink()
        raise _cannot_write(folder, error) from error
    return tuple(written)


def _tell_failed(failed: Sequence[tuple[Found, InputError]]) -> None:
    """Say what could not be opened, in one sentence where many have the same reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for one, why in failed:
        reasons.setdefault((why.fact, why.hint), []).append(one.name)
    for (fact, hint), (first, *others) in reasons.items():
        more = f" and {counted(len(others), 'other')}" if others else ""
        fail(InputError(f"{first}{more}: {fact}", hint=hint))


def _cannot_write(folder: Path, error: OSError) -> SealshotError:
    return SealshotError(
        f"cannot write to {folder}: {error.strerror}", hint="give another folder with -o"
    )


def _row(result: Result) -> tuple[str, ...]:
    known = result.metadata
    return (
        str(result.files[0]),
        str(known.track),
        known.utc,
        f"{known.score:.2f}",
        f"{known.percentile:.1f}",
    )
