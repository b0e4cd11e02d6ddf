"""The folder of a custodian, and whose it is.

custodian.key     the signing key        log       what it did
NAME.pub          the public half        clock     when it was last right
epochs/           keys of epochs         holds/    keys of cases, and what they open
second/           public keys of a second custodian that were fetched, for backups
"""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.cli.commands.parties import read_signing_key
from sealshot.runtime.errors import InputError
from sealshot.runtime.seal.party import Party, read_party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import read_policy

SIGNING_KEY, LOG, CLOCK, SECRETS, HOLDS = "custodian.key", "log", "clock", "epochs", "holds"
FETCHED = "second"


def read_own(folder: Path, policy_file: Path) -> tuple[Policy, Party, SigningKey]:
    """Return the policy, and who has the folder: its custodian, or that of an earlier version."""
    policy = read_policy(policy_file)
    key = read_signing_key(folder / SIGNING_KEY)
    party = policy.party_of(key.verify_key)
    if party is None or party.role != "custodian":
        raise InputError(
            f"{folder} is not of the custodian of the policy",
            hint="check which folder and which policy were given",
        )
    return policy, party, key


def read_second(folder: Path, policy_file: Path) -> tuple[Policy, Party, SigningKey]:
    """Return the policy, and who has the folder: a custodian that it does not name.

    Raises:
        InputError: the policy names it, or there is no such folder.
    """
    policy, key = read_policy(policy_file), read_signing_key(folder / SIGNING_KEY)
    if policy.party_of(key.verify_key):
        raise InputError(
            f"{folder} is of a party of the policy: a second custodian is another one",
            hint="`sealshot custodian new` makes one, on a machine of its own",
        )
    for path in sorted(folder.glob("*.pub")):
        party = read_party(path, "custodian", own=True)
        if party.verify_key == key.verify_key:
            return policy, party, key
    raise InputError(
        f"there is no .pub file of {folder / SIGNING_KEY}", hint="put it back, or make a new folder"
    )
