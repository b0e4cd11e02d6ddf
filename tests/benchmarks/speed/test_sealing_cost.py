"""The benchmark of sealing: what it seals opens again, and its result says all that it measured."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from sealshot.benchmarks.speed.sealing import command as sealing
from sealshot.benchmarks.speed.sealing import quorum as sealing_quorum
from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.errors import SealError


@pytest.mark.parametrize("kind", [X25519Identity, HybridIdentity])
def test_a_quorum_opens_what_it_sealed_and_no_other(kind: type, tmp_path: Path) -> None:
    ours, other = (sealing_quorum.Quorum(kind.generate, tmp_path) for _ in range(2))
    sealed = ours.seal(b"picture")
    assert ours.open(sealed) == b"picture"
    with pytest.raises(SealError):
        other.open(sealed)


def test_the_result_has_each_peer_and_both_ways_of_running(tmp_path: Path) -> None:
    if shutil.which("age") is None:
        if os.environ.get("CI"):
            pytest.fail("`age` is not installed (apt-get install age)")
        pytest.skip("`age` is not installed")
    file = tmp_path / "sealing.json"
    assert sealing.main(["--rounds", "1", "--runs", "1", "-o", str(file)]) == 0
    result = json.loads(file.read_text())
    clips = {cost["peer"]: cost for cost in result["costs"] if cost["payload"] == "clip"}
    assert set(clips) >= {
        "age",
        "sealshot, X25519",
        "sealshot, hybrid",
        "sealshot 2 of 3, classical",
        "sealshot 2 of 3, hybrid",
    }
    assert clips["sealshot, X25519"]["extra_bytes"] == clips["age"]["extra_bytes"]
    at_end, live = result["runs"]
    assert (at_end["emit"], live["emit"]) == ("end", "live")
    assert 2 == at_end["shots"] < live["shots"]
    assert all(
        one["ratio"]["median"] > 0 and one["seal_ms"]["median"] > 0 for one in (at_end, live)
    )
