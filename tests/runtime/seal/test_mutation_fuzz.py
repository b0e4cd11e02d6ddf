"""Fuzzing of every reader of untrusted bytes, from the vectors: mutated, and signed again.

Two ways: bytes are cut, put in and moved, so that what is verified must fail; and fields are
changed under a good signature, so that what comes after the signature gets hostile values. Nothing
may end in anything but the documented error.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_log import verify_log

from sealshot.runtime.age import age
from sealshot.runtime.cli.commands.parties import read_signing_key
from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.ceremony import answer, open_with_answers, read_answer, read_request
from sealshot.runtime.seal.checkpoint import LogError, parse_checkpoint
from sealshot.runtime.seal.container import HEADER, PAYLOAD, SIGNATURE, SUMS, read_container
from sealshot.runtime.seal.documents import Document, canonical
from sealshot.runtime.seal.epochs import parse_epoch_key
from sealshot.runtime.seal.keys import parse_identity, read_identities
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.seal.payload import unpack
from sealshot.runtime.seal.policy import parse_policy
from sealshot.runtime.seal.quorum import open_epoch, open_share
from sealshot.runtime.seal.scope import check_scope
from sealshot.runtime.seal.signing import SigningKey, parse_signing_key, parse_verify_key
from sealshot.runtime.seal.warrant import check_warrant, parse_warrant

VECTORS = Path(__file__).parents[2] / "data" / "seal"
NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
EPOCH = "2026-11-21"
ERRORS = (InputError, LogError)


def vector(name: str) -> bytes:
    return (VECTORS / "classical" / name).read_bytes()


FACTS = json.loads(vector("facts.json"))
KEYS = {name: parse_identity(text) for name, text in FACTS["identities"].items()}
SIGNERS = {name: parse_signing_key(text) for name, text in FACTS["signing_keys"].items()}
POLICY = parse_policy(vector("policy.toml"))
WARRANT = parse_warrant(vector("warrant.json"))
SHOT = read_container(vector("shot.sealed"))
HYBRID = json.loads((VECTORS / "hybrid" / "facts.json").read_bytes())["identities"]
HYBRID_KEY = parse_identity(HYBRID["investigator"])
LOG, NOTE = (VECTORS / "log").read_bytes(), (VECTORS / "log.checkpoint").read_bytes()
LOG_KEY = parse_verify_key(json.loads((VECTORS / "log-facts.json").read_bytes())["verify_key"])
ANSWERS = {name: vector(f"{name}.answer") for name in ("judge", "police", "custodian")}
ANSWER = age.decrypt(ANSWERS["judge"], [KEYS["investigator"]])


def _read_warrant(data: bytes) -> str:
    warrant = parse_warrant(data)
    check_warrant(warrant, POLICY, NOW)
    return warrant.digest


def _read_answer(data: bytes) -> object:
    sealed = age.encrypt(data, [KEYS["investigator"].recipient])
    return read_answer(sealed, WARRANT, POLICY, [KEYS["investigator"]])


def _read_log(data: bytes) -> object:
    return verify_log(data, "cam1", LOG_KEY, [NOTE]).root


def _from_file(read: Callable[[Path], object], folder: Path) -> Callable[[bytes], object]:
    def parse(data: bytes) -> object:
        path = folder / "file"
        path.write_bytes(data)
        return read(path)

    return parse


Parse = Callable[[bytes], object]
# What is verified: mutated bytes are refused, or mean the same.
VERIFIED: dict[str, tuple[bytes, Parse]] = {
    "age, X25519": (vector("alone.age"), lambda d: age.decrypt(d, [KEYS["investigator"]])),
    "age, hybrid": (
        (VECTORS / "hybrid" / "alone.age").read_bytes(),
        lambda d: age.decrypt(d, [HYBRID_KEY]),
    ),
    "container": (vector("shot.sealed"), read_container),
    "request": (vector("request.zip"), read_request),
    "warrant": (vector("warrant.json"), _read_warrant),
    "epoch key": (
        vector(f"{EPOCH}.json"),
        lambda d: parse_epoch_key(d, POLICY, EPOCH),
    ),
    "answer": (ANSWER, _read_answer),
    "log": (LOG, _read_log),
    "checkpoint": (NOTE, lambda d: parse_checkpoint(d, LOG_KEY)),
}
# What is not: mutated bytes are refused, or are another good one.
UNVERIFIED: dict[str, tuple[bytes, Parse]] = {
    "payload": ((VECTORS / "payload.zip").read_bytes(), unpack),
    "policy": (vector("policy.toml"), parse_policy),
}
FILES: dict[str, tuple[bytes, Callable[[Path], object]]] = {
    "public key file": (vector("cam1.pub"), lambda path: read_party(path, "camera")),
    "identity file": (
        f"# created: now\n{FACTS['identities']['judge']}\n".encode(),
        lambda path: read_identities(str(path)),
    ),
    "signing key file": (
        f"# public key\n{FACTS['signing_keys']['camera']}\n".encode(),
        read_signing_key,
    ),
}


@st.composite
def mutated(draw: st.DrawFn, seed: bytes) -> bytes:
    """The seed after up to three cuts, insertions, copies of itself, or flips."""
    data = seed
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 1, 2, 16, 200, 10**6])))
        source = draw(st.integers(0, len(seed)))
        put = draw(
            st.binary(max_size=8)
            | st.sampled_from([b"", b"\n", b'"', b"{", b"[" * 50, b"PK\x03\x04", b"-> X25519 "])
            | st.just(seed[source : source + draw(st.integers(1, 300))])
        )
        data = data[:start] + put + data[end:]
    return data


@pytest.mark.parametrize("kind", VERIFIED)
@given(data=st.data())
@settings(max_examples=250)
def test_mutated_bytes_of_what_is_verified(kind: str, data: st.DataObject, tally) -> None:
    seed, parse = VERIFIED[kind]
    changed = data.draw(mutated(seed))
    try:
        read = parse(changed)
    except ERRORS:
        tally.add(f"fuzz: mutated {kind}", False)
        return
    tally.add(f"fuzz: mutated {kind}", read != parse(seed))


@pytest.mark.parametrize("kind", [*UNVERIFIED, *FILES])
@given(data=st.data())
@settings(max_examples=250)
def test_mutated_bytes_of_what_is_not(
    kind: str, data: st.DataObject, tally, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if kind in FILES:
        seed, read = FILES[kind]
        parse = _from_file(read, tmp_path_factory.getbasetemp())
    else:
        seed, parse = UNVERIFIED[kind]
    changed = data.draw(mutated(seed))
    with suppress(*ERRORS):
        parse(changed)
    tally.add(f"fuzz: mutated {kind}", False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
# What has the right form and is at the edge of it, or belongs elsewhere.
EDGES = st.sampled_from(
    [
        *("2999-12-31", "2999-12-31T23", "2000-01-01", "9999-12-31T23", "0001-01-01", "2026-02-30"),
        *("9999-12-31T23:59:59Z", "1000-01-01T00:00:00Z", "2026-11-21T24:00:00Z", EPOCH),
        *(
            0,
            1,
            255,
            256,
            2**63 - 1,
            2**63,
            -1,
            1.0,
            True,
            "",
            " ",
            "\u001b[2J",
            "\ud800",
            "ä" * 1000,
        ),
        *(
            "0" * 32,
            "0" * 64,
            "A" * 64,
            "cam1",
            "custodian",
            "judge",
            "open",
            "hold",
            "a" * 64,
            "a" * 65,
        ),
        *(str(KEYS["judge"].recipient), str(SIGNERS["camera"].verify_key)),
        *([], {}, [["judge"]], ["judge"] * 255, ["judge", "police"], ["judge", "judge", "judge"]),
    ]
)


@st.composite
def altered(draw: st.DrawFn, value: Any) -> Any:
    """The value with one thing in it replaced, taken out or put in."""
    value = copy.deepcopy(value)
    if isinstance(value, dict | list) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
        action = draw(st.sampled_from(["alter"] * 6 + ["delete", "double"]))
        if action == "alter":
            value[key] = draw(altered(value[key]))
        elif action == "delete":
            del value[key]
        elif isinstance(value, dict):
            value[draw(st.text(max_size=5))] = value[key]
        else:
            value.append(value[key])
        return value
    return draw(EDGES | JSON)


def _signed(kind: str, body: Any, *names: str) -> bytes:
    """A document in its file form; its signatures hold, if its body has a canonical form."""
    try:
        document = Document(kind, body)
        for name in names:
            document = document.signed(SIGNERS[name])
        return document.encode()
    except (ValueError, TypeError, AttributeError):
        unsigned = {"kind": kind, "body": body, "signatures": []}
        return json.dumps(unsigned).encode()


def _use_warrant(data: bytes) -> None:
    warrant = parse_warrant(data)
    check_warrant(warrant, POLICY, NOW, warrant.purpose)
    check_scope(warrant, SHOT, POLICY)


def _use_answer(data: bytes) -> None:
    read = _read_answer(data)
    others = [
        read_answer(ANSWERS[name], WARRANT, POLICY, [KEYS["investigator"]])
        for name in ("police", "custodian")
    ]
    open_with_answers(SHOT, WARRANT, POLICY, [read, *others])  # type: ignore[list-item]


DOCUMENTS: dict[str, tuple[bytes, tuple[str, ...], Callable[[bytes], object]]] = {
    "warrant": (vector("warrant.json"), ("judge", "police"), _use_warrant),
    "epoch key": (
        vector(f"{EPOCH}.json"),
        ("custodian",),
        lambda d: parse_epoch_key(d, POLICY, EPOCH),
    ),
    "answer": (ANSWER, ("judge",), _use_answer),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
@given(data=st.data())
@settings(max_examples=300)
def test_altered_fields_under_good_signatures(kind: str, data: st.DataObject, tally) -> None:
    seed, names, use = DOCUMENTS[kind]
    document = json.loads(seed)
    signed = _signed(document["kind"], data.draw(altered(document["body"])), *names)
    with suppress(*ERRORS):
        use(signed)
    tally.add(f"fuzz: altered and signed {kind}", False)


@given(data=st.data())
@settings(max_examples=300)
def test_the_form_of_a_document_itself(data: st.DataObject, tally) -> None:
    document = data.draw(altered(json.loads(vector("warrant.json"))))
    attempt = json.dumps(document).encode()
    try:
        digest = _read_warrant(attempt)
    except ERRORS:
        tally.add("fuzz: altered warrant", False)
        return
    tally.add("fuzz: altered warrant", digest != WARRANT.digest)


@given(data=st.data())
@settings(max_examples=300)
def test_altered_headers_under_the_camera_s_signature(data: st.DataObject, tally) -> None:
    """Somebody has the camera's key: no party answers for a header that it did not write."""
    members = read_zip(vector("shot.sealed"), limit=20)
    original = json.loads(members[HEADER])
    header = data.draw(altered(original))
    try:
        members[HEADER] = canonical(header)
    except (ValueError, TypeError):
        members[HEADER] = json.dumps(header).encode()
    hashed = {name: part for name, part in members.items() if name not in (SUMS, SIGNATURE)}
    members[SUMS] = _sums(hashed)
    members[SIGNATURE] = SIGNERS["camera"].sign(members[SUMS])
    given = 0
    try:
        container = read_container(write_zip(members))
        for name in ("judge", "custodian"):
            given += _secrets_for(container, name)
        answers = [
            read_answer(sealed, WARRANT, POLICY, [KEYS["investigator"]])
            for sealed in ANSWERS.values()
        ]
        open_with_answers(container, WARRANT, POLICY, answers)
        given += 1
    except ERRORS:
        pass
    tally.add("fuzz: altered and signed header", given if header != original else 0)


def _secrets_for(container: Any, name: str) -> int:
    """How many secrets a party gives, under a warrant made to fit the header."""
    cameras = [{"name": container.header.camera, "key": container.header.camera_key}]
    body = {**WARRANT.document.body, "cameras": cameras, "from": "2000-01-01T00:00:00Z"}
    body["to"] = "9999-12-31T23:59:59Z"
    warrant = parse_warrant(_signed(WARRANT.document.kind, body, "judge", "police"))
    party = POLICY.custodian if name == "custodian" else POLICY.authority(name)
    assert party is not None
    give = (
        (lambda c: open_epoch(c, KEYS["epoch"]))
        if name == "custodian"
        else (lambda c: open_share(c, name, KEYS[name]))
    )
    never = lambda _: False  # noqa: E731
    given, _ = answer([container], warrant, POLICY, party, SIGNERS[name], give, never, NOW)
    return len(given.secrets)


def _sums(members: dict[str, bytes]) -> bytes:
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in members.items()]
    return b"# sealshot container 2\n" + "".join(lines).encode()


def test_the_controls() -> None:
    """What is not altered does open: the tests above fail for the reason that they say."""
    use: Any
    for seed, parse in (*VERIFIED.values(), *UNVERIFIED.values()):
        assert parse(seed)
    for seed, names, use in DOCUMENTS.values():
        document = json.loads(seed)
        use(_signed(document["kind"], document["body"], *names))
    assert _secrets_for(SHOT, "judge") == _secrets_for(SHOT, "custodian") == 1
    stranger = dataclasses.replace(SHOT.header, id="0" * 32)
    assert _secrets_for(dataclasses.replace(SHOT, header=stranger), "judge") == 0
    assert SHOT.parts[PAYLOAD]
    assert SigningKey.of_authority(KEYS["judge"]) == SIGNERS["judge"]
    with pytest.raises(SealError):
        _read_warrant(b"{}")
