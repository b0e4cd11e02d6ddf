"""Epoch keys: published ahead, kept while the publisher is away, refused where they are forged."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.documents import parse_document
from sealshot.runtime.seal.epochs import (
    KIND,
    EpochKeys,
    Publication,
    expired,
    publish,
    published_version,
)
from sealshot.runtime.seal.policy import Policy, parse_policy
from sealshot.runtime.seal.signing import SigningKey, parse_signing_key

VECTORS = Path(__file__).parents[2] / "data" / "seal" / "classical"
CUSTODIAN = parse_signing_key(
    json.loads((VECTORS / "facts.json").read_bytes())["signing_keys"]["custodian"]
)
NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    read = parse_policy((VECTORS / "policy.toml").read_bytes())
    return dataclasses.replace(read, epoch_keys=str(tmp_path / "public"))


@pytest.fixture
def public(policy: Policy, tmp_path: Path) -> Path:
    """Published keys for 2026-11-21 and the two days after it."""
    for name in ("public", "secret"):
        (tmp_path / name).mkdir()
    done = publish(CUSTODIAN, policy, tmp_path / "secret", tmp_path / "public", NOON, 2 * DAY)
    assert [epoch for epoch, _ in done.made] == ["2026-11-21", "2026-11-22", "2026-11-23"]
    return tmp_path / "public"


def test_each_key_is_its_own_and_is_published_once(
    policy: Policy, public: Path, tmp_path: Path
) -> None:
    secrets = tmp_path / "secret"
    assert publish(CUSTODIAN, policy, secrets, public, NOON, 2 * DAY) == Publication((), ())
    keys = EpochKeys(policy, None)
    recipients = {
        str(key.recipient) for day in (0, 1, 2) if (key := keys.current(NOON + day * DAY))
    }
    identities = {path.read_text() for path in secrets.iterdir()}
    assert len(recipients) == len(identities) == 3


LOST: dict[str, Callable[[Path], None]] = {
    "to another folder": lambda public: [path.unlink() for path in public.iterdir()] and None,
    "one page lost": lambda public: (public / "2026-11-22.json").unlink(),
    "one page cut": lambda public: (public / "2026-11-22.json").write_bytes(b"{") and None,
    "one page by a stranger": lambda public: (
        (public / "2026-11-21.json").write_bytes(_by_a_stranger(public)) and None
    ),
}


@pytest.mark.parametrize("lose", LOST.values(), ids=LOST.keys())
def test_publishing_again_never_replaces_a_living_key(
    lose: Callable[[Path], None], policy: Policy, public: Path, tmp_path: Path
) -> None:
    """Shots sealed minutes before must stay openable, whatever the web server lost."""
    secrets = tmp_path / "secret"
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    pages = {path.name: path.read_bytes() for path in public.iterdir()}
    lose(public)
    done = publish(CUSTODIAN, policy, secrets, public, NOON, 2 * DAY)
    assert done.made == ()
    assert done.again
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before
    assert {path.name: path.read_bytes() for path in public.iterdir()} == pages


def test_a_damaged_secret_is_told_and_left(policy: Policy, public: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret" / "2026-11-21.key"
    secret.write_text("# created\n")
    (public / "2026-11-21.json").unlink()
    with pytest.raises(SealError, match="holds no key"):
        publish(CUSTODIAN, policy, tmp_path / "secret", public, NOON, 2 * DAY)
    assert secret.read_text() == "# created\n"


def test_garbage_for_an_epoch_to_come_stops_no_camera(
    policy: Policy, public: Path, reports: list[str]
) -> None:
    (public / "2026-11-23.json").write_bytes(b"garbage")
    keys = EpochKeys(policy, None)
    assert keys.prefetch(NOON, 2 * DAY) == 2
    found = keys.current(NOON)
    assert found is not None
    assert found.epoch == "2026-11-21"
    assert len(reports) == 1


def test_keys_that_were_fetched_outlast_their_publisher(
    policy: Policy, public: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    assert EpochKeys(policy, cache).prefetch(NOON, DAY) == 2
    for path in public.iterdir():
        path.unlink()
    keys = EpochKeys(policy, cache)
    found = keys.current(NOON + DAY)
    assert found is not None
    assert found.epoch == "2026-11-22"
    late = keys.current(
        NOON + 5 * DAY
    )  # none for that day: the latest before it, which dies sooner
    assert late == found
    assert keys.current(found.destroy_at - DAY / 2) == found
    assert keys.current(found.destroy_at) is None
    assert keys.current(NOON - 5 * DAY) is None


def _of_another_day(public: Path) -> bytes:
    return (public / "2026-11-22.json").read_bytes()


def _by_a_stranger(public: Path) -> bytes:
    data = (public / "2026-11-21.json").read_bytes()
    body = json.loads(data)["body"]
    document = parse_document(data, KIND, dict.fromkeys(body, lambda _: True))
    return dataclasses.replace(document, signatures=()).signed(SigningKey.generate()).encode()


FORGED: dict[str, Callable[[Path], bytes]] = {
    "the key of another day": _of_another_day,
    "by a stranger": _by_a_stranger,
    "unsigned": lambda public: json.dumps(
        {**json.loads((public / "2026-11-21.json").read_bytes()), "signatures": []}
    ).encode(),
    "cut": lambda public: (public / "2026-11-21.json").read_bytes()[:-3],
    "empty": lambda public: b"",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_a_forged_key_is_neither_used_nor_kept(
    forge: Callable[[Path], bytes], policy: Policy, public: Path, tmp_path: Path, tally
) -> None:
    (public / "2026-11-21.json").write_bytes(forge(public))
    cache = tmp_path / "cache"
    attempt = EpochKeys(policy, cache)
    tally.refused("a forged epoch key", lambda: attempt.current(NOON), SealError)
    assert not list(cache.glob("*"))


def test_what_is_no_file_hangs_no_camera(policy: Policy, public: Path) -> None:
    (public / "policy.d").mkdir()
    for name in ("2026-11-21.json", "policy.d/2.json"):
        (public / name).unlink(missing_ok=True)
        os.mkfifo(public / name)
    assert EpochKeys(policy, None).current(NOON) is None
    assert published_version(policy, Path()) is None


def test_what_is_over_its_time(policy: Policy, public: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secret"
    end = datetime(2026, 11, 22, tzinfo=timezone.utc) + 30 * DAY
    assert expired(secrets, policy, end - timedelta(seconds=1)) == []
    assert expired(secrets, policy, end) == ["2026-11-21"]
    assert expired(secrets, policy, end + 9 * DAY) == ["2026-11-21", "2026-11-22", "2026-11-23"]
