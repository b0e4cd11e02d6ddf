"""A second reader, written from runtime/seal/FORMAT.md: it shares no line with sealshot.

It knows the primitives of `cryptography` and nothing of age, HPKE, Shamir or our documents but what
is written there. Where something is wrong it raises an error of any kind.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import struct
import sys
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Json = dict[str, Any]


def need(holds: object, what: str) -> None:
    if not holds:
        raise ValueError(what)


# 1. Conventions


def canonical(value: object) -> bytes:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def read_json(data: bytes) -> Json:
    def once(pairs: list[tuple[str, Any]]) -> Json:
        need(len(dict(pairs)) == len(pairs), "a name stands twice")
        return dict(pairs)

    value = json.loads(data.decode(), object_pairs_hook=once)
    need(isinstance(value, dict), "no object")
    return dict(value)


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 with one block of output."""
    extracted = hmac.digest(salt or bytes(32), secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def exact_zip(members: dict[str, bytes]) -> bytes:
    data = directory = b""
    for name, content in members.items():
        size = len(content)
        common = struct.pack(
            "<HHHHHIIIHH", 20, 0, 0, 0, 33, zlib.crc32(content), size, size, len(name), 0
        )
        directory += b"PK\x01\x02" + struct.pack("<H", 788) + common
        directory += struct.pack("<HHHII", 0, 0, 0, 0o600 << 16, len(data)) + name.encode()
        data += b"PK\x03\x04" + common + name.encode() + content
    count = len(members)
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(data), 0)
    return data + directory + b"PK\x05\x06" + end


def read_zip(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        need(all(info.compress_type == 0 for info in infos), "a member is compressed")
        need(sum(info.file_size for info in infos) <= len(data), "members overlap")
        need(len({info.filename for info in infos}) == len(infos), "a member stands twice")
        return {info.filename: archive.read(info) for info in infos}


# 2. Keys

LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32(text: str, prefix: str) -> bytes:
    need(text in (text.lower(), text.upper()) and prefix[0] == text[0], "wrong case")
    found, _, rest = text.lower().rpartition("1")
    need(found == prefix.lower(), "another prefix")
    values = [LETTERS.index(letter) for letter in rest]
    checked = 1
    expanded = [ord(c) >> 5 for c in found] + [0] + [ord(c) & 31 for c in found]
    for value in expanded + values:
        top, checked = checked >> 25, (checked & 0x1FFFFFF) << 5 ^ value
        for bit, constant in enumerate(
            (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
        ):
            checked ^= constant * (top >> bit & 1)
    need(checked == 1, "wrong checksum")
    bits = "".join(f"{value:05b}" for value in values[:-6])
    whole = len(bits) // 8 * 8
    need(len(bits) - whole < 5 and "1" not in bits[whole:], "bits left over")
    return int(bits[:whole], 2).to_bytes(whole // 8, "big")


@dataclass(frozen=True)
class Identity:
    """The kind of stanza that it opens, and its bytes."""

    kind: bytes
    key: bytes


def read_identity(text: str) -> Identity:
    if text.startswith("AGE-SECRET-KEY-PQ-1"):
        return Identity(b"mlkem768x25519", bech32(text, "AGE-SECRET-KEY-PQ-"))
    return Identity(b"X25519", bech32(text, "AGE-SECRET-KEY-"))


def verify(key: str, signature: bytes, message: bytes) -> None:
    public = Ed25519PublicKey.from_public_bytes(bech32(key, "sealshot-key"))
    public.verify(signature, message)


def authority_verify_key(identity: str) -> bytes:
    seed = hkdf(identity.encode(), b"", b"sealshot/authority signing key/1")
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


# 2.1 The keys of a camera


def read_certificate(data: bytes, camera_key: str) -> tuple[str, bytes]:
    """Return the day and its key."""
    need(len(data) == 106, "certificate")
    verify(camera_key, data[42:], b"sealshot/day-key/1\n" + data[:42])
    return data[:10].decode(), data[10:42]


def verify_of_day(key: bytes, signature: bytes, message: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)


# 3. age files


def unpadded(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)


def exchange(private: bytes, public: bytes) -> tuple[bytes, bytes]:
    """Return the shared secret and the public half of the private key."""
    key = X25519PrivateKey.from_private_bytes(private)
    secret = key.exchange(X25519PublicKey.from_public_bytes(public))
    return secret, key.public_key().public_bytes_raw()


def xwing(seed: bytes, share: bytes) -> bytes:
    grown = hashlib.shake_256(seed).digest(96)
    first = MLKEM768PrivateKey.from_seed_bytes(grown[:64]).decapsulate(share[:1088])
    return xwing_secret(first, grown[64:], share[1088:])


def xwing_secret(first: bytes, private: bytes, ephemeral: bytes) -> bytes:
    second, public = exchange(private, ephemeral)
    label = bytes.fromhex("5c2e2f2f5e5c")
    return hashlib.sha3_256(first + second + ephemeral + public + label).digest()


def hpke_key(secret: bytes, info: bytes) -> tuple[ChaCha20Poly1305, bytes]:
    """RFC 9180, sections 4 and 5.1: key and first nonce, base mode, suite 647a/0001/0003."""
    suite = b"HPKE" + struct.pack(">HHH", 0x647A, 1, 3)

    def extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")

    def expand(key: bytes, label: bytes, context: bytes, size: int) -> bytes:
        labeled = struct.pack(">H", size) + b"HPKE-v1" + suite + label + context
        return hmac.digest(key, labeled + b"\x01", "sha256")[:size]

    context = b"\x00" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    scheduled = extract(secret, b"secret", b"")
    key = expand(scheduled, b"key", context, 32)
    return ChaCha20Poly1305(key), expand(scheduled, b"base_nonce", context, 12)


def unwrap(identity: Identity, stanza: list[bytes], body: bytes) -> bytes:
    need(stanza[0] == identity.kind and len(stanza) == 2, "another kind of stanza")
    share = unpadded(stanza[1])
    if identity.kind == b"X25519":
        secret, public = exchange(identity.key, share)
        key = hkdf(secret, share + public, b"age-encryption.org/v1/X25519")
        return ChaCha20Poly1305(key).decrypt(bytes(12), body, None)
    aead, nonce = hpke_key(xwing(identity.key, share), b"age-encryption.org/mlkem768x25519")
    return aead.decrypt(nonce, body, None)


def age_open(data: bytes, identity: Identity) -> bytes:
    """Open an age file with one stanza."""
    head, _, rest = data.partition(b"\n--- ")
    mac, _, payload = rest.partition(b"\n")
    version, stanza, *body = head.split(b"\n")
    need(version == b"age-encryption.org/v1" and stanza.startswith(b"-> "), "no age file")
    need(all(len(line) == 64 for line in body[:-1]) and len(body[-1]) < 64, "lines of the body")
    file_key = unwrap(identity, stanza[3:].split(b" "), unpadded(b"".join(body)))
    need(len(file_key) == 16, "file key")
    expected = hmac.digest(hkdf(file_key, b"", b"header"), head + b"\n---", "sha256")
    need(hmac.compare_digest(expected, unpadded(mac)), "MAC")
    aead, chunks = ChaCha20Poly1305(hkdf(file_key, payload[:16], b"payload")), payload[16:]
    step, plain = 65536 + 16, b""
    for count, at in enumerate(range(0, len(chunks), step)):
        last = at + step >= len(chunks)
        nonce = count.to_bytes(11, "big") + bytes([last])
        plain += aead.decrypt(nonce, chunks[at : at + step], None)
    need(len(chunks) >= 16, "no chunk")
    return plain


# 6. The container

EXP = [1]
for _ in range(254):  # powers of the generator 3
    doubled = EXP[-1] << 1 ^ (0x11B if EXP[-1] & 0x80 else 0)
    EXP.append(doubled ^ EXP[-1])
LOG = {value: power for power, value in enumerate(EXP)}


def times(a: int, b: int) -> int:
    return EXP[(LOG[a] + LOG[b]) % 255] if a and b else 0


def divide(a: int, b: int) -> int:
    return EXP[(LOG[a] - LOG[b]) % 255] if a else 0


def interpolate(shares: list[bytes]) -> bytes:
    secret = bytearray(len(shares[0]) - 1)
    for share in shares:
        weight = 1
        for other in shares:
            if other[-1] != share[-1]:
                weight = times(weight, divide(other[-1], other[-1] ^ share[-1]))
        for at, value in enumerate(share[:-1]):
            secret[at] ^= times(value, weight)
    return bytes(secret)


def read_container(data: bytes, camera_key: str) -> tuple[Json, dict[str, bytes]]:
    members = read_zip(data)
    need(exact_zip(members) == data, "not exact")
    header = read_json(members["header.json"])
    version = header["format"]
    need(canonical(header) == members["header.json"] and version in (1, 2, 3, 4), "header")
    need(("taken" in header, header["camera_key"]) == (version > 1, camera_key), "camera, hour")
    need(("content" in header) == (version > 2), "content")
    shares = [f"share-{i + 1}.age" for i in range(len(header["authorities"]))]
    listed = ["header.json", *shares, "epoch.age", "payload.age"]
    there = [name for name in (*listed, "SHA256SUMS", "signature") if name in members]
    need(list(members) == there and set(listed) - set(members) <= {"payload.age"}, "members")
    first, *lines = members["SHA256SUMS"].decode().splitlines(keepends=True)
    need(first == f"# sealshot container {version}\n", "SHA256SUMS")
    for name, line in zip(listed, lines, strict=True):
        hashed = hashlib.sha256(members[name]).hexdigest() if name in members else line[:64]
        need(line == f"{hashed}  {name}\n", f"hash of {name}")
    signature = members["signature"]
    if version == 4:
        day, key = read_certificate(signature[64:], camera_key)
        verify_of_day(key, signature[:64], members["SHA256SUMS"])
        need(day <= header["hour"][:10], "the key of a later day")
    else:
        verify(camera_key, signature, members["SHA256SUMS"])
    return header, members


def open_member(members: dict[str, bytes], name: str, identity: Identity) -> bytes:
    plain = age_open(members[name], identity)
    need(plain[:33] == b"\x01" + hashlib.sha256(members["header.json"]).digest(), "another header")
    return plain[33:]


def check_share(header: Json, number: int, share: bytes) -> None:
    hashed = hashlib.sha256(share).hexdigest()
    need(share[32:] == bytes([number]) and hashed == header["shares"][number - 1], "wrong share")


def open_payload(
    header: Json, members: dict[str, bytes], shares: dict[str, bytes], ke: bytes
) -> bytes:
    for name, share in shares.items():
        check_share(header, header["authorities"].index(name) + 1, share)
    need(len(shares) >= header["quorum"], "too few shares")
    salt = hashlib.sha256(members["header.json"]).digest()
    key = hkdf(interpolate(list(shares.values())) + ke, salt, b"sealshot/payload key/1")
    return age_open(members["payload.age"], Identity(b"X25519", key))


# 7. Signed documents, 8. requests, 9. the policy


def read_document(data: bytes, kind: str) -> tuple[Json, str, set[str]]:
    """Return the body, the digest and the keys that signed."""
    document = read_json(data)
    need(document.keys() == {"kind", "body", "signatures"} and document["kind"] == kind, "kind")
    message = kind.encode() + b"\n" + canonical(document["body"])
    for signature in document["signatures"]:
        verify(signature["key"], base64.b64decode(signature["signature"]), message)
    keys = [signature["key"] for signature in document["signatures"]]
    need(len(set(keys)) == len(keys), "a key twice")
    return document["body"], hashlib.sha256(message).hexdigest(), set(keys)


def read_policy(data: bytes) -> tuple[Json, str]:
    """Return the policy and its digest."""
    policy = tomllib.loads(data.decode())
    need(policy["format"] == 1, "format")
    ruled = {name: policy[name] for name in ("epoch", "quorum", "retention")}
    ruled["custodian"] = [policy["custodian"]["name"], policy["custodian"]["verify_key"]]
    ruled["authorities"] = [
        [authority[field] for field in ("name", "recipient", "verify_key")]
        for authority in policy["authorities"]
    ]
    return policy, hashlib.sha256(b"sealshot/policy/1\n" + canonical(ruled)).hexdigest()


def read_warrant(data: bytes, policy: Json, digest: str, now: str) -> tuple[Json, str]:
    """Return a warrant that is in force, and its digest. Times of this form compare as texts."""
    body, own, signers = read_document(data, "sealshot/warrant/2")
    authorities = {authority["verify_key"] for authority in policy["authorities"]}
    need(body["policy"] == digest and body["purpose"] == "open", "policy or purpose")
    need(signers <= authorities and len(signers) >= policy["quorum"], "signatures")
    need(now < body["expires"], "expired")
    return body, own


def is_in_scope(header: Json, warrant: Json, policy: Json) -> bool:
    names = [authority["name"] for authority in policy["authorities"]]
    hour = header.get("taken", header["hour"])
    return (
        header["policy"] == warrant["policy"]
        and (header["quorum"], header["authorities"]) == (policy["quorum"], names)
        and {"name": header["camera"], "key": header["camera_key"]} in warrant["cameras"]
        and warrant["from"][:13] <= hour
        and f"{hour}:00:00Z" < warrant["to"]
    )


def read_answer(data: bytes, me: Identity, policy: Json, warrant_digest: str) -> Json:
    body, _, signers = read_document(age_open(data, me), "sealshot/answer/1")
    parties = [policy["custodian"]] if body["role"] == "custodian" else policy["authorities"]
    keys = [party["verify_key"] for party in parties if party["name"] == body["party"]]
    need(signers == set(keys) and body["warrant"] == warrant_digest, "signer or warrant")
    return body


def open_shot(
    sealed: bytes, policy_file: bytes, warrant_file: bytes, answers: list[bytes], me: str, now: str
) -> bytes:
    """Do all of the investigator's last step; return the payload."""
    policy, digest = read_policy(policy_file)
    warrant, warrant_digest = read_warrant(warrant_file, policy, digest, now)
    header, members = read_container(sealed, warrant["cameras"][0]["key"])
    need(is_in_scope(header, warrant, policy), "scope")
    shares: dict[str, bytes] = {}
    ke = b""
    for data in answers:
        body = read_answer(data, read_identity(me), policy, warrant_digest)
        secrets = {s["id"]: base64.b64decode(s["secret"]) for s in body["secrets"]}
        if body["role"] == "custodian":
            ke = secrets[header["id"]]
        else:
            shares[body["party"]] = secrets[header["id"]]
    payload = open_payload(header, members, shares, ke)
    taken = read_json(read_zip(payload)["shot.json"])["utc"]
    need(header["format"] == 1 or taken[:13] == header["taken"], "taken in another hour")
    need(warrant["from"] <= taken[:19] + "Z" < warrant["to"], "taken outside of the warrant's time")
    return payload
