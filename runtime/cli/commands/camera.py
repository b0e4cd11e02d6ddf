"""`sealshot camera`: enrol a camera under a policy."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, run_action, seconds
from sealshot.runtime.cli.commands.parties import add_name, read_signing_key, write_party
from sealshot.runtime.cli.extras import EXTRAS
from sealshot.runtime.cli.terminal import note, say, say_json, table
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import make_folder
from sealshot.runtime.sandbox.onvif import best
from sealshot.runtime.seal import day_keys
from sealshot.runtime.seal.day_keys import DayKeys, has_day_keys
from sealshot.runtime.seal.documents import read_file
from sealshot.runtime.seal.epochs import EpochKeys, published_version
from sealshot.runtime.seal.keys import KEY_FILE_LIMIT
from sealshot.runtime.seal.party import Party, read_party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.quorum import Camera
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import (
    add_version,
    follow,
    parse_change,
    read_policy,
    write_policy,
)
from sealshot.runtime.seal.times import format_hour, format_time, parse_time, utc_now
from sealshot.runtime.sources.discover import WAIT_S, discover
from sealshot.runtime.sources.onvif import is_onvif, profiles_of
from sealshot.runtime.sources.reader import NoVideoError
from sealshot.runtime.sources.redact import redact
from sealshot.runtime.sources.secret import read_secret

USAGE = f"""\
usage: sealshot camera enrol DIR --policy FILE [--name NAME | --again OLD.pub [--until TIME]]
       sealshot camera discover [--wait S] [--json]
       sealshot camera profiles onvif://HOST [--json]
       sealshot camera profiles --source-file FILE [--json]

enrol  Make the signing key of a camera, on the camera, and copy the policy that it shall trust.
       DIR gets policy.toml for `sealshot run --policy`, camera.key (secret; it signs, and opens
       nothing) and NAME.pub, which warrants name the camera by. Each day has a key, and that of a
       day that is over is destroyed: `run` and `serve` write to camera.key, and a copy of it signs
       from its day on. camera.days has the certificates of fifteen years of days.
discover  Ask the networks of this machine which cameras there are (WS-Discovery). What answers
       says of itself what it likes.
profiles  Ask a camera by ONVIF which streams it offers: `sealshot run onvif://HOST` takes the one
       with * before it, `onvif://HOST/TOKEN` another. The password goes as a digest, over HTTP.

--name NAME         of the camera (default: DIR)
--again OLD.pub     enrol a camera under its name once more, with a new key, since that of OLD.pub
                    was stolen or lost. NAME.pub then has both: whoever is given it (`warrant new`,
                    `vault verify`, `evidence verify`) takes what the former key sealed up to
                    --until, and no more. The new key keeps a log of its own, in a new vault
--until TIME        when the former key may have come into other hands (default: now)
--wait S            for answers, in seconds (default {WAIT_S:.0f})
--source-file FILE  read the address from a file of one line, or from credential:NAME of systemd:
                    onvif://USER:PASSWORD@HOST is nothing for a command line
--json              print what was found as JSON

`profiles` and onvif:// sources need {EXTRAS["onvif"]}.

examples:
  sealshot camera enrol camera-north --policy policy.toml
  sealshot camera discover
  sealshot run rtsp://camera/stream --policy camera-north/policy.toml --vault vault/
"""

logger = logging.getLogger(__name__)

KEY, POLICY = day_keys.KEY, "policy.toml"


def main(argv: list[str]) -> int:
    """Run `sealshot camera`."""
    actions = {"enrol": _enrol, "discover": _discover, "profiles": _profiles}
    return run_action("camera", USAGE, actions, argv)


def _enrol(argv: list[str]) -> int:
    arguments = Arguments("camera enrol", USAGE)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--policy", type=Path, required=True)
    add_name(arguments)
    arguments.add_argument("--again", type=Path)
    arguments.add_argument("--until", type=parse_time)
    given = arguments.parse_args(argv)
    if given.again and given.name:
        arguments.error("a camera that is enrolled again keeps its name: leave --name out")
    if given.until and not given.again:
        arguments.error("--until is for --again: until when the former key was good")
    before = _former(given.again, given.until) if given.again else ()
    policy = _resolved(read_policy(given.policy), given.policy.parent)
    folder: Path = given.folder
    if (folder / POLICY).exists():
        raise InputError(
            f"{folder / POLICY} exists: {folder} is the folder of another",
            hint="give the camera a folder of its own",
        )
    name = before[-1].name if before else given.name or folder.resolve().name
    make_folder(folder, "choose another")
    key = SigningKey.generate()
    public = folder / f"{name}.pub"
    party = Party("camera", name, key.verify_key, former=before)
    write_party(public, party, key, lambda: day_keys.enrol(folder, key, utc_now()))
    write_policy(folder / POLICY, policy)
    say(str(public))
    note(f"policy {policy.digest}, version {policy.version}")
    return 0


def _discover(argv: list[str]) -> int:
    arguments = Arguments("camera discover", USAGE)
    arguments.add_argument("--wait", type=seconds, default=WAIT_S)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    found = discover(given.wait)
    if given.json:
        say_json([asdict(device) for device in found])
    elif found:
        table(("source", "name", "model"), [(d.source, d.name, d.model) for d in found])
    else:
        note(
            f"no camera answered within {given.wait:g} s: is ONVIF switched on there, and is it in "
            "one of this machine's own networks?"
        )
    return 0


def _profiles(argv: list[str]) -> int:
    arguments = Arguments("camera profiles", USAGE)
    arguments.add_argument("source", nargs="?")
    arguments.add_argument("--source-file")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    if (given.source is None) == (given.source_file is None):
        arguments.error("give one source: onvif://HOST, or --source-file")
    source = given.source or read_secret(given.source_file)
    if not is_onvif(source):
        raise InputError(
            f"{redact(source)} is no address of a device by ONVIF", hint="as onvif://10.0.0.7"
        )
    try:
        found = profiles_of(source)
    except NoVideoError as error:
        hint = error.hint or "check the address, and that the camera is on"
        raise InputError(f"{redact(source)}: {error.why}", hint=hint) from None
    taken = best(found) if found else None
    if given.json:
        say_json([{**asdict(each), "default": each is taken} for each in found])
        return 0
    table(
        ("", "token", "name", "codec", ">width", ">height"),
        [
            ("*" if p is taken else "", p.token, p.name, p.codec, str(p.width), str(p.height))
            for p in found
        ],
    )
    return 0


def _former(public: Path, until: datetime | None) -> tuple[Party, ...]:
    """Return a camera under the keys that it had, the last of them good until a time."""
    now = utc_now()
    if until and until > now:
        raise InputError(
            f"{format_time(until)} is to come: the new key is there from now on",
            hint="give --until the time from which the former key may have been in other hands",
        )
    *earlier, last = read_party(public, "camera").under_each_key
    return (*earlier, replace(last, until=format_hour(until or now)))


def read_camera(policy_file: Path) -> Camera:
    """Read what a camera was enrolled with, from the folder that its policy lies in.

    Raises:
        InputError: the policy is not that of an enrolled camera.
    """
    policy = read_policy(policy_file)
    folder = policy_file.parent
    if not (folder / KEY).exists():
        raise InputError(
            f"{folder} is not the folder of an enrolled camera: there is no {KEY}",
            hint=f"`sealshot camera enrol DIR --policy {policy_file}`, then give DIR/{POLICY}",
        )
    key = _read_key(folder)
    for path in sorted(folder.glob("*.pub")):
        party = read_party(path, "camera", own=True)
        if party.verify_key == key.verify_key:
            return Camera(party.name, key, policy)
    raise InputError(f"there is no .pub file of {folder / KEY}", hint="enrol the camera anew")


def check_turning(policy_file: Path) -> None:
    """Check that this user may write what turns in the folder of a camera: its key, its policy.

    Raises:
        InputError: it may not. Of a folder that is none :func:`read_camera` says so.
    """
    folder = policy_file.parent
    with suppress(OSError):
        turns = has_day_keys((folder / KEY).read_bytes())
        for path in (folder / KEY, folder) if turns else ():
            if not os.access(path, os.W_OK, effective_ids=True):
                raise InputError(
                    f"this user may not write {path}: there the keys of days that are over are "
                    "destroyed, and new versions of the policy kept",
                    hint="let it belong to the user of the service, who is also to run --check",
                )


def _read_key(folder: Path) -> SigningKey | DayKeys:
    """Return what a camera signs with: one key where it was enrolled before it had those of days.

    Raises:
        SealError: it cannot be read.
    """
    data = read_file(folder / KEY, "signing key", KEY_FILE_LIMIT)
    return DayKeys(folder) if has_day_keys(data) else read_signing_key(folder / KEY)


def read_keys(policy_file: Path) -> EpochKeys:
    """Return the epoch keys of the newest version of a camera's policy.

    It is taken from where the keys are published, too, and put beside the policy. One from there
    that cannot take force, or be put there, is told, and left.

    Raises:
        InputError: one that lies beside the policy cannot take force.
    """
    policy, folder = read_policy(policy_file), policy_file.parent
    try:
        while (data := published_version(policy, folder)) is not None:
            new = follow(policy, parse_change(data))
            add_version(policy_file, new)
            policy = new  # only now: who starts again finds what the log says by then
    except SealshotError as error:
        logger.warning(
            "a new version of the policy, at %s, is left: %s (hint: %s)",
            policy.epoch_keys,
            error.fact,
            error.hint,
        )
    return EpochKeys(policy, folder / "epochs", folder)


def _resolved(policy: Policy, base: Path) -> Policy:
    """Make a relative folder of epoch keys absolute: the camera's copy lies elsewhere."""
    previous = _resolved(policy.previous, base) if policy.previous else None
    at = policy.epoch_keys
    epoch_keys = at if "://" in at else str((base / at).resolve())
    return replace(policy, epoch_keys=epoch_keys, previous=previous)
