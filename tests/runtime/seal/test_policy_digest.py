"""The digest of a policy: what it covers, and that a camera does not compute it for each shot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealshot.runtime.age.hybrid import HybridRecipient
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.vault.keeper import Keeper


def test_a_camera_writes_the_keys_as_text_once(
    parties, shot, origin, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[HybridRecipient] = []
    text = HybridRecipient.__str__

    def count(self: HybridRecipient) -> str:
        written.append(self)
        return text(self)

    sealing = parties.sealing()
    monkeypatch.setattr(HybridRecipient, "__str__", count)
    with Keeper(tmp_path / "vault", sealing) as keeper:
        for _ in range(5):
            keeper.put(shot, origin)
    assert len(written) == len(sealing.camera.policy.authorities)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"quorum": 3}, False),
        ({"retention": "31d"}, False),
        ({"epoch": "hour"}, False),
        ({"authorities": ()}, False),
        ({"epoch_keys": "https://elsewhere"}, True),
    ],
)
def test_it_covers_what_the_policy_rules(parties, change: dict[str, object], same: bool) -> None:
    policy = read_policy(parties.policy)
    digest = policy.digest
    assert (replace(policy, **change).digest == digest) == same
    assert policy.digest == read_policy(parties.policy).digest
