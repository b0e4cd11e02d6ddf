"""Policies that change hands: what follows, what does not, and what a log has seen."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.documents import Document
from sealshot.runtime.seal.entries import PolicyChanged, Started
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy, make_policy
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import (
    add_version,
    change_to_log,
    changes_folder,
    draft_change,
    follow,
    read_policy,
    write_policy,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
IDENTITIES = {name: X25519Identity.generate() for name in ("a", "b", "c", "d", "e")}
KEYS = {name: SigningKey.of_authority(identity) for name, identity in IDENTITIES.items()}
CUSTODIAN = Party("custodian", "custodian", SigningKey.generate().verify_key)


def policy_of(*names: str, epoch_keys: str = "epochs", retention: str = "30d") -> Policy:
    authorities = tuple(
        Party("authority", name, KEYS[name].verify_key, IDENTITIES[name].recipient)
        for name in names
    )
    return make_policy(2, retention, "day", epoch_keys, CUSTODIAN, authorities)


FIRST = policy_of("a", "b", "c")


def signed(change: Document, names: Sequence[str]) -> Document:
    for name in names:
        change = change.signed(KEYS[name])
    return change


def next_of(policy: Policy, new: Policy, by: str = "abcde", at: datetime = NOON) -> Policy:
    """The version that follows, signed by whoever may."""
    may = {a.name for a in (*policy.authorities, *new.authorities)}
    return follow(policy, signed(draft_change(policy, new, at), [n for n in by if n in may]))


SECOND = next_of(FIRST, policy_of("a", "b", "d"))
THIRD = next_of(SECOND, policy_of("a", "d", "e"), at=NOON + HOUR)


def test_versions_are_found_by_their_digests(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    write_policy(path, THIRD)
    found = read_policy(path)
    assert [one.version for one in found.versions] == [3, 2, 1]
    assert found == THIRD
    assert [found.of(one.digest) for one in (FIRST, SECOND, THIRD)] == [FIRST, SECOND, THIRD]
    assert found.of("0" * 64) is None
    assert SECOND.of(THIRD.digest) is None
    former = found.party_of(KEYS["c"].verify_key)
    assert former is not None
    assert former.name == "c"


def test_a_policy_that_never_changed_is_its_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    write_policy(path, FIRST)
    assert read_policy(path).versions == (FIRST,)
    assert not changes_folder(path).exists()


QUORUMS = {
    "nobody": ("", "0 of the 2 authorities of version 1"),
    "one of the old ones is missing": ("ad", "1 of the 2 authorities of version 1"),
    "one of the new ones is missing": ("ac", "1 of the 2 authorities of version 2"),
    "the old ones alone": ("bc", "1 of the 2 authorities of version 2"),
    "the new ones alone": ("de", "0 of the 2 authorities of version 1"),
}


@pytest.mark.parametrize(("by", "expected"), QUORUMS.values(), ids=QUORUMS.keys())
def test_it_takes_a_quorum_of_the_old_and_one_of_the_new(by: str, expected: str, tally) -> None:
    new = policy_of("d", "e") if by == "de" else policy_of("a", "b", "d")
    change = signed(draft_change(FIRST, new, NOON), by)
    with pytest.raises(SealError, match=expected):
        follow(FIRST, change)
    tally.add("a policy change that lacks a signature", False)


def test_a_stranger_s_signature_counts_for_nothing_and_is_told() -> None:
    change = signed(draft_change(FIRST, policy_of("a", "b", "d"), NOON), "abe")
    with pytest.raises(SealError, match="neither of it nor of the one before"):
        follow(FIRST, change)


def test_each_field_of_a_change_is_signed(tally) -> None:
    change = SECOND.change
    assert change is not None
    weaker = policy_of("a", "b", "d").values | {"quorum": 1}
    others = {"version": 3, "previous": "0" * 64, "time": "2026-11-21T13:00:00Z", "policy": weaker}
    assert others.keys() == change.body.keys()
    for field, value in others.items():
        altered = dataclasses.replace(change, body={**change.body, field: value})
        tally.refused("an altered policy change", lambda a=altered: follow(FIRST, a), SealError)


def test_two_that_follow_one_are_a_fork(tmp_path: Path) -> None:
    other = next_of(FIRST, policy_of("a", "c", "d"))
    follows_other = next_of(other, policy_of("a", "d", "e"))
    path = tmp_path / "policy.toml"
    write_policy(path, SECOND)
    add_version(path, follows_other)
    with pytest.raises(SealError, match=r"policy.d/3.json: version 3 follows another version 2"):
        read_policy(path)


def test_a_version_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    write_policy(path, THIRD)
    (changes_folder(path) / "2.json").unlink()
    with pytest.raises(SealError, match="version 2 of the policy is missing, and there is"):
        read_policy(path)


def test_a_version_under_another_s_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    write_policy(path, SECOND)
    (changes_folder(path) / "3.json").write_bytes((changes_folder(path) / "2.json").read_bytes())
    with pytest.raises(SealError, match="it is version 2 of the policy, and version 3 is what"):
        read_policy(path)


def test_a_version_from_before_the_one_it_follows_is_refused() -> None:
    with pytest.raises(SealError, match="before the version that it follows"):
        next_of(SECOND, policy_of("a", "d", "e"), at=NOON - HOUR)


def test_who_has_a_key_keeps_name_and_role_under_it() -> None:
    """Shares of earlier shots are asked for by name: nobody could open them under another one."""
    two, keys = policy_of("a", "b"), (KEYS["c"].verify_key, IDENTITIES["c"].recipient)
    renamed = Party("authority", "f", *keys)
    new = dataclasses.replace(two, authorities=(*two.authorities, renamed))
    for policy in (FIRST, THIRD):  # there, and gone since
        with pytest.raises(SealError, match="has the signing key of the authority 'c' of an earl"):
            next_of(policy, new, by="abde", at=NOON + HOUR)
    custodian = Party("custodian", "another", CUSTODIAN.verify_key)
    for party in (custodian, Party("custodian", "c", keys[0])):
        with pytest.raises(SealError, match="has the signing key of the"):
            next_of(FIRST, dataclasses.replace(two, custodian=party))


def test_nothing_to_change_is_told() -> None:
    with pytest.raises(SealError, match="there is nothing to change"):
        draft_change(FIRST, policy_of("a", "b", "c", epoch_keys="elsewhere"), NOON)


def test_what_came_back_is_a_version_of_its_own() -> None:
    """An authority that was away: the rules of version 1 are those of version 4 again."""
    again = next_of(THIRD, FIRST, at=NOON + 2 * HOUR)
    assert again.digest == FIRST.digest
    found = again.of(FIRST.digest)
    assert found is not None
    assert found.version == 4
    started = Started("2026-11-21T12", 2, FIRST.digest)
    [entry] = change_to_log(again, started, "2026-11-21T14")
    assert entry.version == 4


def test_an_address_holds_for_all_and_a_folder_is_each_one_s_own() -> None:
    moved = next_of(FIRST, policy_of("a", "b", "d", epoch_keys="https://example.org/e"))
    assert moved.epoch_keys == "https://example.org/e"
    local = dataclasses.replace(FIRST, epoch_keys="/srv/epochs")
    assert next_of(local, policy_of("a", "b", "d")).epoch_keys == "/srv/epochs"
    with pytest.raises(SealError, match="no version can change to it"):
        next_of(moved, policy_of("a", "d", "e"), at=NOON + HOUR)


SECOND_BODY = SECOND.change.body if SECOND.change else {}
DAMAGED: dict[str, Callable[[Path], object]] = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-9]),
    "empty": lambda file: file.write_bytes(b""),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "a FIFO": lambda file: (file.unlink(), os.mkfifo(file)),
    "no policy in it": lambda file: file.write_text(
        json.dumps(
            {**(found := json.loads(file.read_text())), "body": {**found["body"], "policy": 7}}
        )
    ),
    "another kind": lambda file: file.write_text(
        file.read_text().replace("policy-change", "warrant")
    ),
    "of a newer sealshot": lambda file: file.write_text(
        file.read_text().replace("policy-change/1", "policy-change/2")
    ),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED.keys())
def test_what_cannot_be_read_is_named(damage: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    write_policy(path, SECOND)
    damage(changes_folder(path) / "2.json")
    with pytest.raises(SealError, match=r"2\.json"):
        read_policy(path)


def test_a_file_in_the_place_of_the_versions_is_no_version_1(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    write_policy(path, FIRST)
    changes_folder(path).write_text("x")
    with pytest.raises(SealError, match="cannot read the folder"):
        read_policy(path)


def test_other_files_beside_versions_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    write_policy(path, SECOND)
    for name in ("3.json.part", "2.json~", "03.json", "x.json"):
        (changes_folder(path) / name).write_text("x")
    assert read_policy(path).version == 2


def test_a_log_knows_what_it_went_by() -> None:
    def started(policy: Policy) -> Started:
        return Started("2026-11-21T12", 2, policy.digest, version=policy.version)

    [first] = change_to_log(FIRST, None, "t")
    assert first == PolicyChanged("t", FIRST.digest, 1)
    assert change_to_log(FIRST, first, "t") == ()
    assert change_to_log(SECOND, started(SECOND), "t") == ()
    [entry] = change_to_log(THIRD, started(FIRST), "t")
    assert entry == PolicyChanged("t", THIRD.digest, 3, FIRST.digest)
    assert change_to_log(THIRD, entry, "t") == ()
    for older in (FIRST, SECOND):
        with pytest.raises(SealError, match="and the log has version 3: it was set back"):
            change_to_log(older, entry, "t")


def test_a_log_refuses_a_fork_and_a_policy_that_took_its_place(tally) -> None:
    fork = next_of(FIRST, policy_of("a", "c", "d"))
    longer = next_of(fork, policy_of("a", "d", "e"))
    entry = PolicyChanged("t", SECOND.digest, 2, FIRST.digest)
    for other in (fork, longer, next_of(policy_of("a", "d", "e"), policy_of("b", "d", "e"))):
        with pytest.raises(SealError, match="version 2 of the policy is another one"):
            change_to_log(other, entry, "t")
        tally.add("a policy that is a fork of what the log has", False)
    [first] = change_to_log(FIRST, None, "t")
    with pytest.raises(SealError, match="version 1 of the policy is another one"):
        change_to_log(policy_of("a", "b", "d"), first, "t")
