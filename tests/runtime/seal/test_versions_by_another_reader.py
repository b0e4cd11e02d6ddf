"""Versions of a policy, followed by a reader that was made from FORMAT.md, section 9.1, alone."""

from __future__ import annotations

import dataclasses
import hashlib
from types import SimpleNamespace
from typing import Any

import pytest

from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy, make_policy
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import draft_change, proposed
from sealshot.runtime.seal.times import utc_now

IDENTITIES = {name: X25519Identity.generate() for name in ("a", "b", "c", "d")}
KEYS = {name: SigningKey.of_authority(identity) for name, identity in IDENTITIES.items()}
CUSTODIAN = Party("custodian", "custodian", SigningKey.generate().verify_key)


def policy_of(*names: str) -> Policy:
    authorities = tuple(
        Party("authority", name, KEYS[name].verify_key, IDENTITIES[name].recipient)
        for name in names
    )
    return make_policy(2, "30d", "day", "epochs", CUSTODIAN, authorities)


def follow(
    other: SimpleNamespace, policy: dict[str, Any], digest: str, version: int, data: bytes
) -> tuple[dict[str, Any], str]:
    """Return the policy that a document makes of one of that digest, and its digest."""
    body, _, signers = other.read_document(data, "sealshot/policy-change/1")
    assert body.keys() == {"version", "previous", "time", "policy"}
    assert (body["version"], body["previous"]) == (version, digest)
    quorums = [
        ({authority["verify_key"] for authority in one["authorities"]}, one["quorum"])
        for one in (policy, body["policy"])
    ]
    assert signers <= quorums[0][0] | quorums[1][0]
    assert all(len(signers & keys) >= quorum for keys, quorum in quorums)
    new = body["policy"]
    ruled = {name: new[name] for name in ("epoch", "quorum", "retention")}
    ruled["custodian"] = [new["custodian"]["name"], new["custodian"]["verify_key"]]
    fields = ("name", "recipient", "verify_key")
    ruled["authorities"] = [[one[field] for field in fields] for one in new["authorities"]]
    return new, hashlib.sha256(b"sealshot/policy/1\n" + other.canonical(ruled)).hexdigest()


def test_it_follows_what_we_wrote_to_the_same_digests(other: SimpleNamespace) -> None:
    ours = policy_of("a", "b", "c")
    theirs, digest = other.read_policy(ours.encode().encode())
    for number, names in enumerate((("a", "b", "d"), ("a", "d", "c")), 2):
        change = draft_change(ours, policy_of(*names), utc_now())
        for signer in ("a", "b", "d"):
            if signer in names or ours.authority(signer):
                change = change.signed(KEYS[signer])
        ours = proposed(ours, change)
        theirs, digest = follow(other, theirs, digest, number, change.encode())
        assert digest == ours.digest
    before = ours.versions[1]
    lacking = dataclasses.replace(change, signatures=change.signatures[:1]).encode()
    with pytest.raises(AssertionError):
        follow(other, before.values, before.digest, 3, lacking)
