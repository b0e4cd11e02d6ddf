"""Keys that protect nothing, and keys that are weaker than those beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sealshot.runtime.age import age
from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.party import Party, read_party
from sealshot.runtime.seal.signing import SigningKey, VerifyKey
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.seal.warrant import RefusedError, check_warrant

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """Of twisted Edwards points (RFC 8032, section 5.1.4), in affine form."""
    (x, y), (u, v) = a, b
    both = D * x * u * y * v % P
    return (
        (x * v + y * u) * pow(1 + both, -1, P) % P,
        (y * v + x * u) * pow(1 - both, -1, P) % P,
    )


def decode(data: bytes) -> Point | None:
    y, sign = int.from_bytes(data, "little") % 2**255, data[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return (P - x if x % 2 != sign else x, y % P)


def is_small(data: bytes) -> bool:
    point = decode(data)
    for _ in range(3):
        if point is None:
            return False
        point = add(point, point)
    return point == (0, 1)


ORDER_8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
SMALL = [
    (y + (sign << 255)).to_bytes(32, "little")
    for y in (0, 1, P - 1, P, P + 1, ORDER_8, P - ORDER_8)
    for sign in (0, 1)
]


@pytest.mark.parametrize("key", SMALL, ids=bytes.hex)
def test_a_key_of_small_order_is_refused(key: bytes) -> None:
    assert is_small(key)
    with pytest.raises(SealError, match="small order"):
        VerifyKey(key)


def test_the_attack_that_it_is_about() -> None:
    """With the neutral point as key one constant signature fits every message."""
    key = Ed25519PublicKey.from_public_bytes(SMALL[2])
    for message in (b"open everything", b"or this"):
        key.verify(SMALL[2] + bytes(32), message)


def test_keys_that_are_made_are_none_of_them() -> None:
    for _ in range(20):
        assert not is_small(SigningKey.generate().verify_key.key)


def test_post_quantum_and_other_recipients_do_not_share_a_file() -> None:
    mixed = [HybridIdentity.generate().recipient, X25519Identity.generate().recipient]
    for recipients in (mixed, mixed[::-1]):
        with pytest.raises(SealError, match="cannot share a file"):
            age.encrypt(b"x", recipients)
    two = [X25519Identity.generate() for _ in range(2)]
    sealed = age.encrypt(b"x", [identity.recipient for identity in two])
    assert age.decrypt(sealed, two[1:]) == b"x"


def test_a_warrant_is_no_weaker_than_its_policy(world, classical) -> None:
    weak = X25519Identity.generate().recipient
    warrant = world.warrant("judge", "police", investigator=weak)
    with pytest.raises(RefusedError) as caught:
        check_warrant(warrant, world.policy, utc_now())
    assert caught.value.reason == "weak-investigator"
    check_warrant(
        classical.warrant("judge", "police", investigator=weak), classical.policy, utc_now()
    )


def test_the_command_says_so_before_anybody_signs(parties, tmp_path, capsys) -> None:
    weak = str(X25519Identity.generate().recipient)
    argv = ["warrant", "new", "--case", "1", "--camera", str(parties.camera_pub), "--from"]
    argv += ["2026-11-21", "--to", "2026-11-22", "--policy", str(parties.policy)]
    assert main([*argv, "--investigator", weak, "-o", str(tmp_path / "w.json")]) == 2
    assert "not post-quantum" in capsys.readouterr().err


@pytest.mark.parametrize("role", ["authority", "custodian", "camera"])
def test_a_public_key_file_is_signed_by_its_owner(role: str, tmp_path: Path, reports) -> None:
    key, other = SigningKey.generate(), SigningKey.generate()
    recipient = X25519Identity.generate().recipient if role == "authority" else None
    party, file = Party(role, "judge", key.verify_key, recipient), tmp_path / "judge.pub"
    file.write_text(party.encode(key))
    assert read_party(file, role) == party
    assert reports == []
    stolen = party.encode(other)
    altered = {
        "of another key": stolen,
        "another name": party.encode(key).replace('"judge"', '"police"'),
        "another key": party.encode(key).replace(str(key.verify_key), str(other.verify_key)),
        "no base64": party.encode(key).replace('proof = "', 'proof = "*'),
        "cut": party.encode(key).replace('=="\n', '"\n'),
        "a number": party.encode(key).partition("proof")[0] + "proof = 1\n",
    }
    for text in altered.values():
        file.write_text(text)
        with pytest.raises(SealError, match="not signed by the key in it"):
            read_party(file, role)
    file.write_text(party.encode(key).partition("proof")[0])  # as version 0.1 wrote them
    assert read_party(file, role, own=True) == party
    assert reports == []
    assert read_party(file, role) == party
    assert "does not prove that its owner has the key" in reports[0]
