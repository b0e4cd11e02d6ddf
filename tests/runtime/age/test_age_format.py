"""The age format: other clients, the specification's vectors, damage, hostile bytes."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sealshot.runtime.age import age
from sealshot.runtime.age.x25519 import X25519Identity, X25519Recipient, is_weak
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.keys import PrivateKey, parse_identity

SIZES = [0, 1, 65535, 65536, 65537, 131072]
KEY = X25519Identity(bytes(range(32)))
SMALL = age.encrypt(b"a small secret that fills a little more than nothing" * 2, [KEY.recipient])


def _plain(size: int) -> bytes:
    return bytes(i * 31 % 251 for i in range(size))


@pytest.mark.parametrize("size", SIZES)
def test_round_trip(size: int) -> None:
    assert age.decrypt(age.encrypt(_plain(size), [KEY.recipient]), [KEY]) == _plain(size)


@pytest.mark.parametrize("size", SIZES)
def test_stock_age_opens_ours_and_we_open_its(
    size: int, stock_age, identity: X25519Identity, identity_file: Path
) -> None:
    plain = _plain(size)
    ours = age.encrypt(plain, [identity.recipient])
    assert stock_age("age", "-d", "-i", identity_file, stdin=ours) == plain
    theirs = stock_age("age", "-r", identity.recipient, stdin=plain)
    assert age.decrypt(theirs, [identity]) == plain
    assert len(ours) == len(theirs)


def test_each_of_several_recipients_opens_alone(stock_age, tmp_path: Path) -> None:
    keys = [X25519Identity.generate() for _ in range(3)]
    recipients = [key.recipient for key in keys]
    ours = age.encrypt(b"one for all", recipients)
    options = [part for recipient in recipients for part in ("-r", str(recipient))]
    theirs = stock_age("age", *options, stdin=b"all for one")
    for key in keys:
        assert age.decrypt(ours, [key]) == b"one for all"
        assert age.decrypt(theirs, [KEY, key]) == b"all for one"
        (tmp_path / "key").write_text(key.secret_text())
        assert stock_age("age", "-d", "-i", tmp_path / "key", stdin=ours) == b"one for all"
    with pytest.raises(SealError, match="not sealed to the identity"):
        age.decrypt(ours, [KEY])


@pytest.mark.parametrize("size", SIZES)
def test_rage_opens_ours_and_we_open_its(size: int) -> None:
    pyrage = pytest.importorskip("pyrage", reason="the second client, rage (pip install pyrage)")
    plain = _plain(size)
    identity = pyrage.x25519.Identity.from_str(KEY.secret_text())
    assert str(identity.to_public()) == str(KEY.recipient)
    assert pyrage.decrypt(age.encrypt(plain, [KEY.recipient]), [identity]) == plain
    assert age.decrypt(pyrage.encrypt(plain, [identity.to_public()]), [KEY]) == plain


def test_armor_of_stock_age_is_named(stock_age) -> None:
    armored = stock_age("age", "-a", "-r", KEY.recipient, stdin=b"text")
    with pytest.raises(SealError, match="armored") as caught:
        age.decrypt(armored, [KEY])
    assert "age -d" in caught.value.hint


def test_no_recipient_is_an_error() -> None:
    with pytest.raises(SealError, match="no recipient"):
        age.encrypt(b"", [])


# The vectors of the specification's authors: the outcome that each expects, in our words.
VECTORS = zipfile.ZipFile(Path(__file__).with_name("cctv_age_vectors.zip"))
NAMES = [name for name in VECTORS.namelist() if name != "README"]
FACTS = {
    "no match": "not sealed to the identity",
    "HMAC failure": "header was altered",
    "header failure": "malformed|not an age file|other than v1",
    "payload failure": "altered or cut short|payload is missing",
    "armored": "armored",
    "passphrase": "locked with a passphrase",
}
# Where our reader, which knows binary files and key pairs, rightly says something else. What is
# damaged before it looks like an armored file is "not an age file" to it.
OURS = {
    "armor_garbage_leading": "header failure",
    "armor_lowercase": "header failure",
    "armor_whitespace_begin": "header failure",
    "armor_wrong_type": "header failure",
    "scrypt_and_x25519": "header failure",
    "scrypt_double": "header failure",
    "scrypt_not_canonical_body": "header failure",
    "scrypt_uppercase": "no match",
    "stream_no_nonce": "payload failure",
    "stream_short_nonce": "payload failure",
}
OURS_BY_KIND = {"armor": "armored", "scrypt": "passphrase"}


def _read_vector(name: str) -> tuple[dict[str, str], list[PrivateKey], bytes]:
    header, _, body = VECTORS.read(name).partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in header.decode().splitlines())
    identities = [
        parse_identity(line.removeprefix("identity: "))
        for line in header.decode().splitlines()
        if line.startswith("identity: AGE-SECRET-KEY-")
    ]
    body = zlib.decompress(body) if fields.get("compressed") == "zlib" else body
    return fields, identities or [KEY], body


def test_all_vectors_are_there() -> None:
    assert len(NAMES) == 143


@pytest.mark.parametrize("name", NAMES)
def test_vector(name: str) -> None:
    fields, identities, ciphertext = _read_vector(name)
    by_kind = OURS_BY_KIND.get(name.partition("_")[0], fields["expect"])
    expected = OURS.get(name, by_kind)
    if expected == "success":
        plain = age.decrypt(ciphertext, identities)
        assert hashlib.sha256(plain).hexdigest() == fields["payload"]
    else:
        with pytest.raises(SealError) as caught:
            age.decrypt(ciphertext, identities)
        assert re.search(FACTS[expected], caught.value.fact), caught.value.fact


def test_every_flipped_bit_is_refused() -> None:
    assert 200 < len(SMALL) < 400
    for position in range(len(SMALL)):
        for bit in range(8):
            damaged = bytearray(SMALL)
            damaged[position] ^= 1 << bit
            with pytest.raises(SealError):
                age.decrypt(bytes(damaged), [KEY])


def test_every_truncation_is_refused() -> None:
    for length in range(len(SMALL)):
        with pytest.raises(SealError):
            age.decrypt(SMALL[:length], [KEY])


@pytest.mark.parametrize("extra", [b"\0", b"\n", SMALL, SMALL[-16:]])
def test_trailing_bytes_are_refused(extra: bytes) -> None:
    with pytest.raises(SealError, match="altered or cut short"):
        age.decrypt(SMALL + extra, [KEY])


def test_chunks_cannot_be_dropped_swapped_or_doubled() -> None:
    sealed = age.encrypt(_plain(4 * age.CHUNK_BYTES), [KEY.recipient])
    step = age.CHUNK_BYTES + age.TAG_BYTES
    head, body = sealed[: -4 * step], sealed[-4 * step :]
    a, b, c, d = (body[i * step : (i + 1) * step] for i in range(4))
    assert age.decrypt(head + a + b + c + d, [KEY])
    for chunks in ([a, b, c], [b, c, d], [a, c, b, d], [a, b, b, c, d], [a, b, c, d, d], [d], []):
        with pytest.raises(SealError, match="cut short"):
            age.decrypt(head + b"".join(chunks), [KEY])


def test_a_header_of_another_file_is_refused() -> None:
    other = age.encrypt(b"another", [KEY.recipient])
    size = SMALL.index(b"\n", SMALL.index(b"\n---") + 1) + 1  # X25519 headers are of one length
    with pytest.raises(SealError, match="altered or cut short"):
        age.decrypt(other[:size] + SMALL[size:], [KEY])


def test_files_of_one_key_share_no_secret() -> None:
    first, second = (age.encrypt(b"the same", [KEY.recipient]) for _ in range(2))
    assert first != second
    assert first.splitlines()[1:4] != second.splitlines()[1:4]


def test_a_second_stanza_that_is_malformed_is_refused_after_a_match() -> None:
    class Broken:
        is_post_quantum = False

        def wrap(self, file_key: bytes) -> age.Stanza:
            return age.Stanza(("X25519", "AAAA"), bytes(32))

    with pytest.raises(SealError, match="malformed"):
        age.decrypt(age.encrypt(b"x", [KEY.recipient, Broken()]), [KEY])


def test_unknown_stanzas_are_skipped(stock_age, identity: X25519Identity, identity_file) -> None:
    class Grease:
        is_post_quantum = False

        def wrap(self, file_key: bytes) -> age.Stanza:
            return age.Stanza(("grease.example/!~", "$", "x" * 100), bytes(48))  # fills a line

    sealed = age.encrypt(b"x", [Grease(), identity.recipient, Grease()])
    assert age.decrypt(sealed, [identity]) == b"x"
    assert stock_age("age", "-d", "-i", identity_file, stdin=sealed) == b"x"


def _resigned(header: bytes) -> bytes:
    """Put a header that breaks the rules under a valid MAC; the header wraps a key of zeros."""
    mac = age._header_hmac(bytes(16), header + b"---").finalize()
    nonce = bytes(16)
    payload = ChaCha20Poly1305(age.derive_key(bytes(16), nonce, b"payload"))
    chunk = payload.encrypt(bytes(11) + b"\1", b"forged", None)
    return header + b"--- " + age.encode_base64(mac) + b"\n" + nonce + chunk


KNOWN = age.write_stanza(KEY.recipient.wrap(bytes(16)))
BROKEN_HEADERS = {
    "none": (b"", "names no recipient"),
    "long line": (KNOWN + b"-> x\n" + b"A" * 68 + b"\n", "longer than 64"),
    "two short lines": (KNOWN + b"-> x\nAAAA\nAAAA\n", "recipient line"),
    "no argument": (KNOWN + b"->\n\n", "recipient line"),
    "empty argument": (KNOWN + b"-> x  y\n\n", "recipient line"),
    "control character": (KNOWN + b"-> x\x7f\n\n", "recipient line"),
    "padding": (KNOWN + b"-> x\nAA==\n", "base64"),
    "other alphabet": (KNOWN + b"-> x\nAA-_\n", "base64"),
    "not canonical": (KNOWN + b"-> x\nAB\n", "base64"),
}


@pytest.mark.parametrize(("stanzas", "fact"), BROKEN_HEADERS.values(), ids=BROKEN_HEADERS.keys())
def test_a_broken_header_is_refused_under_a_valid_mac(stanzas: bytes, fact: str) -> None:
    with pytest.raises(SealError, match=f"malformed: .*{fact}"):
        age.decrypt(_resigned(age.VERSION_LINE + stanzas), [KEY])


def test_a_sound_header_under_a_valid_mac_opens() -> None:
    sound = age.VERSION_LINE + KNOWN + b"-> x\n" + b"A" * 64 + b"\n\n"
    assert age.decrypt(_resigned(sound), [KEY]) == b"forged"  # the control of the above


def test_a_header_without_end_is_refused_soon() -> None:
    with pytest.raises(SealError, match="longer than 1 MiB"):
        age.decrypt(age.VERSION_LINE + b"-> x\n\n" * 180_000, [KEY])


LOW_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]


@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point[:4].hex())
def test_points_of_low_order_are_refused(point: bytes) -> None:
    with pytest.raises(SealError, match="weak key"):
        X25519Recipient(point)
    stanza = age.Stanza(("X25519", age.encode_base64(point).decode()), bytes(32))
    with pytest.raises(SealError, match="low order"):
        KEY.unwrap(stanza)


def test_no_other_point_has_a_secret_that_anyone_knows() -> None:
    """Those that are known are those whose exchange OpenSSL refuses, in each way to write them."""
    private = X25519PrivateKey.from_private_bytes(KEY.key)
    near = [
        number % 2**256 for edge in (0, 2**255, 2**256) for number in range(edge - 40, edge + 40)
    ]
    written = [number.to_bytes(32, "little") for number in near]
    written += [point[:-1] + bytes([point[-1] ^ 0x80]) for point in LOW_ORDER]
    refused = 0
    for point in written:
        try:
            private.exchange(X25519PublicKey.from_public_bytes(point))
            weak = False
        except ValueError:
            weak = True
        assert is_weak(point) == weak
        refused += weak
    assert refused == 22  # each edge has some twice


@given(st.binary(max_size=400))
@example(b"")
@example(age.VERSION_LINE)
@example(age.VERSION_LINE + b"---")
@example(age.VERSION_LINE + b"--- \n")
@example(age.VERSION_LINE + b"-> X25519 \xff\n\n--- " + b"A" * 43 + b"\n")
def test_hostile_bytes_end_in_a_seal_error(data: bytes) -> None:
    for hostile in (data, age.VERSION_LINE + data, age.VERSION_LINE + b"-> X25519 " + data):
        with pytest.raises(SealError):
            age.decrypt(hostile, [KEY])


@given(st.data())
@settings(max_examples=300)
def test_mutated_files_end_in_a_seal_error(draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(SMALL) - 1))
    end = draw.draw(st.integers(start, len(SMALL)))
    mutated = SMALL[:start] + draw.draw(st.binary(max_size=80)) + SMALL[end:]
    if mutated != SMALL:
        with pytest.raises(SealError):
            age.decrypt(mutated, [KEY])


def test_secrets_are_not_shown() -> None:
    assert KEY.secret_text() not in repr(KEY)
    assert str(KEY.key) not in repr(KEY)
