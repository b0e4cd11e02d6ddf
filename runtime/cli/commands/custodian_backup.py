"""`sealshot custodian backup` and `restore`: keys that outlive their machine, and not their day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.commands.answering import go_by
from sealshot.runtime.cli.commands.custodian_folder import (
    CLOCK,
    FETCHED,
    HOLDS,
    LOG,
    SECRETS,
    SIGNING_KEY,
    read_own,
    read_second,
)
from sealshot.runtime.cli.commands.parties import read_signing_key
from sealshot.runtime.cli.terminal import note, warn
from sealshot.runtime.cli.words import counted
from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.seal.backup import (
    back_up,
    backups_of,
    kept_keys,
    open_backup,
    prune,
    published_until,
    put_back,
)
from sealshot.runtime.seal.entries import BackedUp, Restored
from sealshot.runtime.seal.epochs import EpochKeys
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.vault.clock import TrustedClock
from sealshot.runtime.vault.erasures import copy_erasures

LAST = timedelta(days=1)
"""In the last day of a case no key of a second custodian may die by its end: it is told alone."""
AHEAD = timedelta(days=30)
"""Keys that a second custodian published further ahead than this are not looked for."""


def backup(arguments: Arguments, argv: list[str]) -> int:
    """Seal the keys that live to a second custodian's; 2 if one could not be."""
    add = arguments.add_argument
    add("folder", type=Path)
    add("--policy", type=Path, required=True)
    add("--second", type=Path, required=True)
    add("--from", dest="published", required=True)
    add("--to", type=Path, required=True)
    given = arguments.parse_args(argv)
    folder, to = given.folder, given.to
    policy, party, key = read_own(folder, given.policy)
    second = read_party(given.second, "custodian")
    if policy.party_of(second.verify_key):
        raise InputError(
            f"{second.name} is a party of the policy: a second custodian is another one",
            hint="`sealshot custodian new` makes one, on a machine of its own",
        )
    if (to / SIGNING_KEY).exists():  # what is not of the backup goes from there
        raise InputError(
            f"{to} is the folder of a custodian", hint="give the backup a folder of its own"
        )
    clock = TrustedClock(folder / CLOCK).peek()
    if clock.warning:
        warn(clock.warning)
    now = clock.earliest  # the backup of what is over is deleted
    rules = replace(policy, custodian=second, epoch_keys=given.published)
    cache = folder / FETCHED if "://" in given.published else None
    there = published_until(EpochKeys(rules, cache), now, AHEAD)
    if not there:
        raise InputError(
            f"{second.name} has published no key that lives in {given.published}",
            hint="run `sealshot custodian rotate --second` there; check the address",
        )
    living = [one for one in kept_keys(folder / SECRETS, folder / HOLDS, policy) if one.end > now]
    written, left, damaged = [], [], 0
    with Log(folder / LOG, party.name, key) as log:
        go_by(policy, log, now)
        for kept in living:
            is_new = not backups_of(kept, to)
            try:
                path = back_up(kept, there, key, to)
            except SealError as error:
                damaged += 1
                warn(f"the key of {kept.what} is not backed up: {error.fact} (hint: {error.hint})")
                continue
            if path is None:
                left.append(kept)
                continue
            written.append(path)
            if is_new:
                log.append(BackedUp(format_time(now), second.name, kept.epoch, kept.warrant))
    wrong = copy_erasures(folder, to, policy) if written else {}
    prune(to, living, written)
    for name, what in wrong.items():
        warn(f"the order to erase {name} is not backed up: {what}")
    for kept in left:
        tell = note if kept.end - now < LAST else warn
        tell(f"the key of {kept.what} is not backed up: {second.name} has none that dies by then")
    note(f"{len(written)} of {counted(len(living), 'key')} backed up: {to}")
    return 2 if damaged or any(kept.end - now >= LAST for kept in left) else 0


def restore(arguments: Arguments, argv: list[str]) -> int:
    """Open a backup with the keys of a second custodian; 2 if nothing or not all opens."""
    add = arguments.add_argument
    add("backup", type=Path)
    add("--policy", type=Path, required=True)
    add("--keys", type=Path, required=True)
    add("--to", type=Path, required=True)
    given = arguments.parse_args(argv)
    new: Path = given.to
    policy, party, key = read_second(given.keys, given.policy)
    if not (new / SIGNING_KEY).exists() or new.resolve() == given.keys.resolve():
        raise InputError(
            f"{new} is no new folder of a custodian", hint="`sealshot custodian new` makes one"
        )
    if not given.backup.is_dir():
        raise InputError(f"{given.backup} is no folder", hint="give the folder of the backup")
    signs = read_signing_key(new / SIGNING_KEY).verify_key
    # to refuse can be made good: the later of the clocks that may be right
    now = max(TrustedClock(given.keys / CLOCK).peek().time, utc_now())
    put, there, wrong = 0, 0, 0
    for name, what in copy_erasures(given.backup, new, policy).items():
        warn(f"the order to erase {name} is not restored: {what}")
    with Log(given.keys / LOG, party.name, key) as log:
        go_by(policy, log, now)
        for one in open_backup(given.backup, given.keys / SECRETS, policy, signs, now):
            if isinstance(one, SealError):
                wrong += 1
                warn(f"{one.fact} (hint: {one.hint})")
                continue
            # logged first: no key comes out without a trace
            log.append(Restored(format_time(now), one.kept.epoch, one.kept.warrant))
            put += put_back(one, new / SECRETS, new / HOLDS)
            there += 1
    note(f"{counted(put, 'key')} restored into {new}; there before: {there - put}")
    if not there:
        warn(f"no key of {given.backup} opens any more with those of {given.keys}")
    return 0 if there and not wrong else 2
