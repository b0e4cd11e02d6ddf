"""What the commands of authorities, custodians and cameras share: names, key files, .pub files."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from sealshot.runtime.age import age
from sealshot.runtime.age.plugin import IDENTITY_PREFIX, PluginIdentity
from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.terminal import Prompter
from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.files import write_new
from sealshot.runtime.seal.documents import named, read_file
from sealshot.runtime.seal.fields import is_name
from sealshot.runtime.seal.keys import KEY_FILE_LIMIT, PrivateKey, read_identities, warn_of_readers
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.rewrap import REWRAP_LIMIT, Rewrap, parse_rewrap
from sealshot.runtime.seal.signing import SigningKey, parse_signing_key


def add_name(arguments: Arguments) -> None:
    """Add the option --name."""
    arguments.add_argument("--name", type=_name)


def write_party(
    public: Path, party: Party, key: SigningKey, write_secret: Callable[[], None]
) -> None:
    """Write the secret, then the .pub file, signed by ``key``; neither overwrites a file.

    Raises:
        SealError: a file exists, the name is unfit, or a file cannot be written.
    """
    if not is_name(party.name):
        raise SealError(
            f"'{party.name}' is not a name: letters, digits, . _ - and at most 64 of them",
            hint="give another with --name",
        )
    if public.exists():
        raise SealError(f"{public} exists and is not overwritten", hint="choose another name")
    write_secret()
    write_new(public, party.encode(key), mode=0o644)


def write_signing_key(path: Path, key: SigningKey) -> None:
    """Write the file of a signing key, readable by its owner only.

    Raises:
        SealError: the file exists or cannot be written.
    """
    write_new(path, f"# public key: {key.verify_key}\n{key.secret_text()}\n", mode=0o600)


def read_signing_key(path: Path) -> SigningKey:
    """Read the file of a signing key.

    Raises:
        SealError: it is none.
    """
    data = read_file(path, "signing key", KEY_FILE_LIMIT)
    warn_of_readers(path, path.stat().st_mode, data)
    text = data.decode("ascii", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]
    if len(lines) != 1:
        raise SealError(f"{path} does not hold one signing key", hint="check the path")
    try:
        return parse_signing_key(lines[0])
    except SealError as error:
        raise SealError(f"{path}: {error.fact}", hint=error.hint) from None


def write_authority_in_hardware(path: Path, identity: PluginIdentity, key: SigningKey) -> None:
    """Write the file of an authority whose shares open in hardware, and which signs by a key here.

    Raises:
        SealError: the file exists or cannot be written.
    """
    text = f"# verify key: {key.verify_key}\n{identity.text}\n{key.secret_text()}\n"
    write_new(path, text, mode=0o600)


def read_authority(path: Path) -> tuple[SigningKey, age.Identity]:
    """Read the file of an authority: what it signs with, and what opens its shares.

    Raises:
        SealError: it is none.
    """
    data = read_file(path, "key", KEY_FILE_LIMIT)
    lines = [line.strip() for line in data.decode("ascii", errors="replace").splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if len(keys) != 2 or not keys[0].startswith(IDENTITY_PREFIX.upper()):
        identity = single_identity(path)
        return SigningKey.of_authority(identity), identity
    warn_of_readers(path, path.stat().st_mode, data)
    with named(path):
        return parse_signing_key(keys[1]), PluginIdentity(keys[0], Prompter())


def single_identity(path: Path) -> PrivateKey:
    """Read an identity file that holds one key.

    Raises:
        SealError: it is none, or holds several.
    """
    identities = read_identities(str(path))
    if len(identities) != 1:
        raise SealError(f"{path} holds {len(identities)} keys, not one", hint="check the path")
    return identities[0]


def authority_of(policy: Policy, key: SigningKey, path: Path) -> Party:
    """Return the authority that signs with a key, of the policy or of a version before it.

    Raises:
        InputError: there is none.
    """
    party = policy.party_of(key.verify_key)
    if party is None or party.role != "authority":
        raise InputError(
            f"the key {path} is not of an authority of the policy",
            hint="check which key and which policy were given",
        )
    return party


def read_rewraps(paths: Sequence[Path], policy: Policy) -> list[Rewrap]:
    """Read what authorities have rewrapped.

    Raises:
        SealError: one is none, or of another policy.
    """
    found = []
    for path in paths:
        data = read_file(path, "rewrap", REWRAP_LIMIT)
        with named(path):
            found.append(parse_rewrap(data, policy))
    return found


def _name(text: str) -> str:
    if not is_name(text):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a name: letters, digits, . _ - and at most 64 of them"
        )
    return text
