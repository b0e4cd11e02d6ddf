"""A party: the public half of whoever takes part, as its ``.pub`` file has it (FORMAT.md, 9.2)."""

from __future__ import annotations

import base64
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.documents import canonical, is_signature, named, read_file
from sealshot.runtime.seal.fields import Check, is_list, is_name, is_object, problem
from sealshot.runtime.seal.keys import PublicKey, parse_recipient
from sealshot.runtime.seal.mldsa import MlDsaVerifyKey, parse_mldsa_key
from sealshot.runtime.seal.signing import SigningKey, VerifyKey, is_key_text, parse_verify_key
from sealshot.runtime.seal.times import is_hour
from sealshot.runtime.toml import TomlError, read_toml

logger = logging.getLogger(__name__)

PARTY_LIMIT = 1024 * 1024  # bytes; a witness takes 2 kB, each former key of a camera 150 bytes


@dataclass(frozen=True, slots=True)
class Party:
    """The public half of an authority, a custodian or a camera: the content of a ``.pub`` file."""

    role: str
    """``authority``, ``custodian``, ``camera`` or ``witness``."""
    name: str
    verify_key: VerifyKey
    recipient: PublicKey | None = None
    """Of an authority only: what its shares are sealed to."""
    mldsa_key: MlDsaVerifyKey | None = None
    """Of a witness only: what it signs with beside its ``verify_key``."""
    until: str = ""
    """Of a former key of a camera: the last hour in which it may have sealed."""
    former: tuple[Party, ...] = ()
    """Of a camera that was enrolled again: the same under its former keys, the oldest first."""

    @property
    def under_each_key(self) -> tuple[Party, ...]:
        """The party under each of its keys, that of today last."""
        return (*self.former, replace(self, former=()))

    def may_have_sealed(self, hour: str) -> bool:
        """Whether its key was good in an hour."""
        return not self.until or hour <= self.until

    def encode(self, key: SigningKey) -> str:
        """Return the file form (TOML), signed by its owner: who has the key says all of this."""
        proof = base64.b64encode(key.sign(self._claim)).decode()
        former = "".join(
            f'\n[[former]]\nverify_key = "{one.verify_key}"\nuntil = "{one.until}"\n'
            for one in self.former
        )
        return f'role = "{self.role}"\n{self.table()}proof = "{proof}"\n{former}'

    def is_proven(self, proof: str) -> bool:
        """Whether the owner of the key signed the rest."""
        return self.verify_key.verifies(self._claim, base64.b64decode(proof))

    @property
    def _claim(self) -> bytes:
        former = [{"verify_key": str(o.verify_key), "until": o.until} for o in self.former]
        body = {"role": self.role, **self.values, **({"former": former} if former else {})}
        return b"sealshot/pub/1\n" + canonical(body)

    @property
    def values(self) -> dict[str, str]:
        """Its name and keys, as a policy has them."""
        recipient = {"recipient": str(self.recipient)} if self.recipient else {}
        mldsa = {"mldsa_key": str(self.mldsa_key)} if self.mldsa_key else {}
        return {"name": self.name, **recipient, "verify_key": str(self.verify_key), **mldsa}

    def table(self) -> str:
        """Return the same as lines of TOML."""
        return "".join(f'{name} = "{value}"\n' for name, value in self.values.items())


def read_party(path: Path, role: str, *, own: bool = False) -> Party:
    """Read the ``.pub`` file of a party in that role.

    Warns of one without a proof that its owner has the key, as version 0.1 wrote them, unless it is
    one's ``own``.

    Raises:
        SealError: it is none, or one in another role, or its proof is wrong.
    """
    data = read_file(path, f"{role}'s .pub file", PARTY_LIMIT)
    with named(path):
        values = parse_toml(data, f"{_article(role)}'s .pub")
    if "SECRET" in str(values).upper():
        raise SealError(f"{path} holds a secret", hint="give the .pub file")
    checks = {"role": lambda value: value == role, **PARTY}
    if role == "authority":
        checks["recipient"] = _is_recipient
    if role == "witness" and "mldsa_key" in values:  # those of 0.2.0 before it had none
        checks["mldsa_key"] = is_key_text(parse_mldsa_key)
    if role == "camera" and "former" in values:
        checks["former"] = is_list(is_object({"verify_key": _is_verify_key, "until": is_hour}))
    proof = values.pop("proof", None)
    if wrong := problem(values, checks):
        raise SealError(
            f"{path} is not the .pub file of {_article(role)}: {wrong}",
            hint=f"`sealshot {role} {'enrol' if role == 'camera' else 'new'}` writes it",
        )
    recipient = parse_recipient(values["recipient"]) if role == "authority" else None
    mldsa = parse_mldsa_key(values["mldsa_key"]) if "mldsa_key" in values else None
    former = tuple(
        Party(role, values["name"], parse_verify_key(one["verify_key"]), until=one["until"])
        for one in values.get("former", ())
    )
    key = parse_verify_key(values["verify_key"])
    party = Party(role, values["name"], key, recipient, mldsa, former=former)
    if proof is not None and not (is_signature(proof) and party.is_proven(proof)):
        raise SealError(
            f"{path} is not signed by the key in it: it was altered, or is of somebody who has "
            "not that key",
            hint=f"ask {party.name} for the file again",
        )
    if proof is None and not own:
        logger.warning(
            "%s does not prove that its owner has the key in it: compare the key with them", path
        )
    return party


def parse_toml(data: bytes, what: str) -> dict[str, Any]:
    """Read TOML.

    Raises:
        SealError: it is none.
    """
    try:
        return read_toml(data.decode())
    except TomlError as error:
        raise SealError(f"it is not {what}: {error}", hint="check the file") from None
    except UnicodeDecodeError:
        raise SealError(f"it is not {what}: it is not text", hint="check the file") from None


def _article(role: str) -> str:
    return f"{'an' if role == 'authority' else 'a'} {role}"


_is_verify_key = is_key_text(parse_verify_key)
_is_recipient = is_key_text(parse_recipient)
PARTY: dict[str, Check] = {"name": is_name, "verify_key": _is_verify_key}
"""What each party has in a policy and in its ``.pub`` file."""
