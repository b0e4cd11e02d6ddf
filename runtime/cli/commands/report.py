"""`sealshot report`: what logs say of a period, for who answers for the cameras."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, file_in_folder
from sealshot.runtime.cli.terminal import note, say, say_json, table, warn
from sealshot.runtime.cli.words import counted
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_new
from sealshot.runtime.seal.checkpoint import read_newest
from sealshot.runtime.seal.documents import named
from sealshot.runtime.seal.entries import Entry
from sealshot.runtime.seal.log_lines import verified_entries
from sealshot.runtime.seal.party import Party, read_party
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import format_time, parse_time, utc_now
from sealshot.runtime.vault.dpia import Told, write_dpia
from sealshot.runtime.vault.logged import keeper_of, name_of_keeper
from sealshot.runtime.vault.record import BETTER, ERASED
from sealshot.runtime.vault.report import (
    CameraReport,
    PartyReport,
    Period,
    of_camera,
    of_party,
)

USAGE = """\
usage: sealshot report LOG... --policy FILE [--camera FILE.pub]... [--from TIME] [--to TIME]
                       [--json] [--dpia FILE.html]
       sealshot report --policy FILE --dpia FILE.html [--camera FILE.pub]...

Tell what was sealed, opened, held and destroyed in a period, and how long cameras watched, as the
logs of cameras, authorities and custodian say. Each log is verified first; nothing is opened, and
no secret key is needed. Whether shots are there as the log says: `sealshot vault verify`.

LOG                `log` in a vault or in the custodian's folder, FILE.log of an authority
--policy FILE      the policy: keys of authorities and custodian, and the retention
--camera FILE.pub  the key of a camera whose log is given; may be repeated
--from TIME        beginning, UTC, as 2026-11-01 (default: 30 days before --to)
--to TIME          end, exclusive (default: now)
--json             print it for machines
--dpia FILE.html   write a draft of a data protection impact assessment, too: what the policy and
                   the logs say is filled in, what people must answer and a lawyer must check is
                   marked. It needs no log

example:
  sealshot report vault/log judge.log custodian/log --policy policy.toml --camera cam1.pub \\
      --from 2026-11-01 --to 2026-12-01
"""

DEFAULT = timedelta(days=30)


def main(argv: list[str]) -> int:
    """Run `sealshot report`."""
    arguments = Arguments("report", USAGE)
    add = arguments.add_argument
    add("logs", nargs="*", type=Path)
    add("--policy", type=Path, required=True)
    add("--camera", action="append", type=Path, default=[])
    add("--from", dest="start", type=parse_time)
    add("--to", dest="end", type=parse_time)
    add("--json", action="store_true")
    add("--dpia", type=file_in_folder)
    given = arguments.parse_args(argv)
    if not given.logs and not given.dpia:
        arguments.error("give a LOG, or --dpia FILE.html")
    policy = read_policy(given.policy)
    today = [*policy.authorities, policy.custodian]
    known = [p for one in policy.versions for p in (*one.authorities, one.custodian)]
    of_policy = [read_party(file, "camera") for file in given.camera]
    known += [one for camera in of_policy for one in camera.under_each_key]
    period = _period(given.start, given.end)
    cameras: dict[str, CameraReport] = {}
    others: dict[str, tuple[Party, PartyReport]] = {}
    for path in given.logs:
        newest = read_newest(path)
        with named(path):
            keeper, entries = _read(path, newest, known)
            is_former = bool(keeper.until) if keeper.role == "camera" else keeper not in today
            name = f"{keeper.name} (former)" if is_former else keeper.name
            if name in cameras or name in others:
                raise InputError(f"it is a second log of {name}", hint="give each once")
            if keeper.role == "camera":
                cameras[name] = of_camera(entries, period, policy)
            else:
                found = of_party(entries, period, policy)
                others[name] = keeper, found
            for _ in entries:  # what is after the period is verified, too
                pass
    if given.dpia:
        page = write_dpia(policy, of_policy, Told(period, cameras, others), utc_now())
        write_new(given.dpia, page, mode=0o644, what="the draft")
        note(f"a draft, to be answered and checked where it is marked: {given.dpia}")
        if not given.logs:
            return 0
    if given.json:
        say_json(
            {
                "from": format_time(period.start),
                "to": format_time(period.end),
                "policy": policy.digest,
                "cameras": {name: asdict(report) for name, report in cameras.items()},
                "parties": {
                    name: {"role": party.role, **asdict(report)}
                    for name, (party, report) in others.items()
                },
            }
        )
    else:
        say(f"{format_time(period.start)} to {format_time(period.end)}, policy {policy.digest}")
        _print(cameras, others)
    _warn(cameras, others)
    return 0


def _period(start: datetime | None, end: datetime | None) -> Period:
    end = end or utc_now().replace(microsecond=0) + timedelta(seconds=1)  # what was just done, too
    period = Period(start or end - DEFAULT, end)
    if period.start >= period.end:
        raise InputError("the period would end before it begins", hint="--from comes before --to")
    return period


def _read(path: Path, newest: bytes, known: Sequence[Party]) -> tuple[Party, Iterator[Entry]]:
    """Verify a log, on the way, by the key of whoever its checkpoint says that it is of."""
    keeper = keeper_of(newest, known)
    if keeper is None:
        raise InputError(
            f"it is the log of '{name_of_keeper(newest)}', whose key is not known",
            hint="give --camera FILE.pub of a camera; the others are those of the policy",
        )
    # after the checkpoint: its keeper may be adding to it, and what it adds meanwhile is left
    lines = verified_entries(path, keeper.name, keeper.verify_key, [newest])
    return keeper, (entry for _, entry in lines)


def _print(cameras: dict[str, CameraReport], others: dict[str, tuple[Party, PartyReport]]) -> None:
    if cameras:
        columns = ("camera", ">watched", ">starts", ">sealed", ">gave way", ">for age", ">erased")
        table(
            (*columns, ">quota, rate", ">uploaded", ">there"),
            [
                (
                    name,
                    f"{one.watched} of {one.hours} h",
                    str(one.starts),
                    str(one.sealed),
                    str(one.purged.get(BETTER, 0)),
                    str(one.purged.get("retention", 0)),
                    str(one.purged.get(ERASED, 0)),
                    str(one.purged.get("quota", 0) + one.purged.get("rate", 0)),
                    str(one.uploaded),
                    str(one.there),
                )
                for name, one in cameras.items()
            ],
        )
    opened = [
        (of.case, name, party.role, str(of.shots), of.first, of.last, of.warrant[:16])
        for name, (party, report) in others.items()
        for of in report.answered
    ]
    if opened:
        table(("opened for", "by", "role", ">shots", "first", "last", "warrant"), opened)
    elif others:
        say("no shot was opened")
    rewrapped = [
        (of.case, name, str(of.shots), of.first, of.last, of.warrant[:16])
        for name, (_, report) in others.items()
        for of in report.rewrapped
    ]
    if rewrapped:
        table(("rewrapped for", "by", ">shots", "first", "last", "warrant"), rewrapped)
    refused = [
        (name, reason, str(count))
        for name, (_, report) in others.items()
        for reason, count in report.refused.items()
    ]
    if refused:
        table(("refused by", "because", ">times"), refused)
    held = {name: one.holds for name, one in cameras.items()}
    held |= {name: report.holds for name, (_, report) in others.items()}
    holds = [
        (hold.case, name, hold.since, hold.until, hold.ended, hold.warrant[:16])
        for name, found in held.items()
        for hold in found
    ]
    if holds:
        table(("held for", "by", "since", "until", "ended", "warrant"), holds)
    for name, (party, report) in others.items():
        if party.role == "custodian":
            keys, of_cases = counted(report.published, "epoch key"), "keys of cases"
            say(
                f"{name}: {keys} published; of {report.due} whose time was over {report.destroyed} "
                f"{'was' if report.destroyed == 1 else 'were'} destroyed on time; "
                f"{counted(report.cases_destroyed, 'key of a case', of_cases)} destroyed"
            )


def _warn(cameras: dict[str, CameraReport], others: dict[str, tuple[Party, PartyReport]]) -> None:
    """Tell what somebody should look at."""
    for name, camera in cameras.items():
        if camera.unclean:
            starts = counted(camera.unclean, "start")
            warn(f"{name}: {starts} after no stop: it was killed, or lost its power")
        if camera.over:
            shots = counted(camera.over, "shot is", "shots are")
            warn(f"{name}: {shots} there beyond the retention, held or overdue")
    for name, (_, report) in others.items():
        for epoch, when in report.late.items():
            what = f"only at {when}" if when else "never, by its log"
            warn(f"{name}: the key of epoch {epoch} was destroyed {what}")
    if not cameras:
        note("no log of a camera was given")
