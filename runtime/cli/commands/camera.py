"""`sealshot camera`: enrol a camera under a policy."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, run_action
from sealshot.runtime.cli.commands.parties import (
    add_name,
    read_signing_key,
    write_party,
    write_signing_key,
)
from sealshot.runtime.cli.terminal import note, say
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import make_folder, write_new
from sealshot.runtime.seal.policy import Party, Policy, read_party, read_policy
from sealshot.runtime.seal.quorum import Camera
from sealshot.runtime.seal.signing import SigningKey

USAGE = """\
usage: sealshot camera enrol DIR --policy FILE [--name NAME]

enrol  Make the signing key of a camera, on the camera, and copy the policy that it shall trust.
       DIR gets policy.toml for `sealshot run --policy`, camera.key (secret; it signs, and opens
       nothing) and NAME.pub, which warrants name the camera by.

--name NAME  of the camera (default: DIR)

example:
  sealshot camera enrol camera-north --policy policy.toml
  sealshot run rtsp://camera/stream --policy camera-north/policy.toml --vault vault/
"""

KEY, POLICY = "camera.key", "policy.toml"


def main(argv: list[str]) -> int:
    """Run `sealshot camera`."""
    return run_action("camera", USAGE, {"enrol": _enrol}, argv)


def _enrol(argv: list[str]) -> int:
    arguments = Arguments("camera enrol", USAGE)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--policy", type=Path, required=True)
    add_name(arguments)
    given = arguments.parse_args(argv)
    policy = _resolved(read_policy(given.policy), given.policy.parent)
    folder: Path = given.folder
    if (folder / POLICY).exists():
        raise InputError(
            f"{folder / POLICY} exists: {folder} is the folder of another",
            hint="give the camera a folder of its own",
        )
    name = given.name or folder.resolve().name
    make_folder(folder, "choose another")
    key = SigningKey.generate()
    public = folder / f"{name}.pub"
    party = Party("camera", name, key.verify_key)
    write_party(public, party, key, lambda: write_signing_key(folder / KEY, key))
    write_new(folder / POLICY, policy.encode(), mode=0o644)
    say(str(public))
    note(f"policy {policy.digest}")
    return 0


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
    key = read_signing_key(folder / KEY)
    for path in sorted(folder.glob("*.pub")):
        party = read_party(path, "camera", own=True)
        if party.verify_key == key.verify_key:
            return Camera(party.name, key, policy)
    raise InputError(f"there is no .pub file of {folder / KEY}", hint="enrol the camera anew")


def _resolved(policy: Policy, base: Path) -> Policy:
    """Make a relative folder of epoch keys absolute: the camera's copy lies elsewhere."""
    if "://" in policy.epoch_keys:
        return policy
    return Policy(
        policy.quorum,
        policy.retention,
        policy.epoch,
        str((base / policy.epoch_keys).resolve()),
        policy.custodian,
        policy.authorities,
    )
