"""Hostile bytes for every reader of what others sent: nothing but the documented error."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.ceremony import (
    read_request,
)
from sealshot.runtime.seal.container import (
    HEADER,
    SIGNATURE,
    SUMS,
    read_container,
)
from sealshot.runtime.seal.documents import canonical, parse_document
from sealshot.runtime.seal.policy import parse_policy
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.seal.warrant import (
    RefusedError,
    check_warrant,
    parse_warrant,
)

Change = Callable[[dict[str, bytes]], dict[str, bytes]]


HOSTILE: dict[str, Change] = {
    "no header": lambda m: {k: v for k, v in m.items() if k != HEADER},
    "no share": lambda m: {k: v for k, v in m.items() if k != "share-2.age"},
    "no sums": lambda m: {k: v for k, v in m.items() if k != SUMS},
    "no signature": lambda m: {k: v for k, v in m.items() if k != SIGNATURE},
    "one more": lambda m: {**m, "more": b""},
    "another order": lambda m: dict(reversed(m.items())),
    "empty signature": lambda m: {**m, SIGNATURE: b""},
    "empty sums": lambda m: {**m, SUMS: b""},
    "empty header": lambda m: {**m, HEADER: b""},
    "header of a list": lambda m: {**m, HEADER: b"[]"},
    "newer header": lambda m: {**m, HEADER: canonical({**json.loads(m[HEADER]), "format": 3})},
    "no quorum": lambda m: {**m, HEADER: canonical({**json.loads(m[HEADER]), "quorum": 0})},
    "spaces": lambda m: {**m, HEADER: m[HEADER].replace(b",", b", ")},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_containers_are_refused(change: Change, sealed: bytes) -> None:
    with pytest.raises(SealError):
        read_container(write_zip(change(read_zip(sealed, limit=20))))


def test_bytes_around_the_archive_are_refused(sealed: bytes) -> None:
    read_container(sealed)  # the control
    compressed = io.BytesIO()
    with zipfile.ZipFile(compressed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in read_zip(sealed, limit=20).items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=zipfile.ZIP_DEFLATED)
    for hostile in (b"x" + sealed, sealed + b"x", sealed[:-1], compressed.getvalue()):
        with pytest.raises(SealError):
            read_container(hostile)


PARSERS: dict[str, Callable[[bytes], object]] = {
    "container": read_container,
    "request": read_request,
    "warrant": parse_warrant,
    "policy": parse_policy,
    "document": lambda data: parse_document(data, "sealshot/warrant/1", {}),
}


@pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS.keys())
@given(data=st.binary(max_size=300))
@example(data=b"{" * 5000)
@example(data=b'{"kind": "sealshot/warrant/1", "body": {}, "signatures": [{}]}')
@example(data=b"PK\x05\x06" + bytes(18))
@settings(max_examples=150)
def test_hostile_bytes_end_in_the_documented_error(parse, data: bytes) -> None:
    with pytest.raises(SealError):
        parse(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(field=st.integers(0, 9), value=JSON)
@settings(max_examples=200)
def test_hostile_fields_of_a_header(sealed: bytes, field: int, value: object) -> None:
    members = read_zip(sealed, limit=20)
    header = json.loads(members[HEADER])
    name = sorted(header)[field]
    if header[name] == value:
        return
    members[HEADER] = json.dumps({**header, name: value}).encode()
    with pytest.raises(SealError):
        read_container(write_zip(members))


@given(value=JSON, field=st.sampled_from(["id", "case", "cameras", "from", "investigator"]))
@settings(max_examples=200)
def test_hostile_fields_of_a_warrant(world, field: str, value: object) -> None:
    warrant = world.warrant("judge", "police").document
    data = json.loads(warrant.encode())
    data["body"][field] = value
    try:
        altered = parse_warrant(json.dumps(data).encode())
    except SealError:
        return
    assert field == "case"
    with pytest.raises(RefusedError):
        check_warrant(altered, world.policy, utc_now())
