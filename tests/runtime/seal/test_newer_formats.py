"""What a newer sealshot wrote is not called damaged: it is told to be newer, in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.epochs import parse_epoch_key
from sealshot.runtime.seal.payload import unpack
from sealshot.runtime.seal.policy import parse_policy
from sealshot.runtime.seal.warrant import parse_warrant

VECTORS = Path(__file__).parents[2] / "data" / "seal"


def of(name: str) -> bytes:
    return (VECTORS / "classical" / name).read_bytes()


def with_format(data: bytes, member: str) -> bytes:
    members = read_zip(data, limit=99)
    members[member] = json.dumps({**json.loads(members[member]), "format": 9}).encode()
    return write_zip(members)


def with_kind(data: bytes) -> bytes:
    document = json.loads(data)
    return json.dumps({**document, "kind": document["kind"][:-1] + "9"}).encode()


def read_epoch_key(data: bytes) -> None:
    parse_epoch_key(data, parse_policy(of("policy.toml")), "2026-11-21")


NEWER = {
    "a container": (read_container, with_format(of("shot.sealed"), "header.json")),
    "a shot": (unpack, with_format((VECTORS / "payload.zip").read_bytes(), "shot.json")),
    "a policy": (parse_policy, of("policy.toml").replace(b"format = 1", b"format = 9")),
    "a warrant": (parse_warrant, with_kind(of("warrant.json"))),
    "an epoch key": (read_epoch_key, with_kind(of("2026-11-21.json"))),
}


@pytest.mark.parametrize("what", NEWER)
def test_a_newer_format_is_told(what: str) -> None:
    read, data = NEWER[what]
    with pytest.raises(SealError, match=f"it is {what} of format 9, and this sealshot reads up to"):
        read(data)
