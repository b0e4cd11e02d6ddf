"""Post-quantum keys: the other implementation opens ours, and we open its."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealshot.runtime.age import age, hybrid
from sealshot.runtime.age.hybrid import HybridIdentity, HybridRecipient
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.keys import (
    parse_identity,
    parse_recipient,
    read_identities,
    write_identity,
)

KEY = HybridIdentity(bytes(range(32)))
SMALL = age.encrypt(b"a small secret", [KEY.recipient])


def test_npm_opens_ours_and_we_open_its(npm_peer) -> None:
    plains = [b"", b"one", os.urandom(65536), os.urandom(70_000)]
    (theirs,) = npm_peer({"op": "keygen"})
    identity, recipient = theirs["identity"], parse_recipient(theirs["recipient"])
    assert str(parse_identity(identity).recipient) == theirs["recipient"]
    own, *answers = npm_peer(
        {"op": "recipient", "identity": KEY.secret_text()},
        *(
            {"op": "decrypt", "identity": identity, "data": age.encrypt(plain, [recipient])}
            for plain in plains
        ),
        *({"op": "encrypt", "recipients": [str(KEY.recipient)], "data": p} for p in plains),
    )
    assert own == str(KEY.recipient)
    decoded = [base64.b64decode(answer) for answer in answers]
    assert decoded[:4] == plains
    assert [age.decrypt(sealed, [KEY]) for sealed in decoded[4:]] == plains


def test_stock_age_opens_ours_and_we_open_its(hybrid_age, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    hybrid_age("age-keygen", "-pq", "-o", theirs)
    write_identity(ours, KEY)
    (identity,) = read_identities(str(theirs))
    for path, key in ((theirs, identity), (ours, KEY)):
        assert hybrid_age("age-keygen", "-y", path).decode().strip() == str(key.recipient)
        for plain in (b"", b"one", os.urandom(65536), os.urandom(70_000)):
            sealed = age.encrypt(plain, [key.recipient])
            assert hybrid_age("age", "-d", "-i", path, stdin=sealed) == plain
            sealed = hybrid_age("age", "-r", key.recipient, stdin=plain)
            assert age.decrypt(sealed, [key]) == plain


def test_text_forms() -> None:
    assert parse_identity(KEY.secret_text()) == KEY
    assert parse_recipient(str(KEY.recipient)) == KEY.recipient
    assert KEY.secret_text().startswith("AGE-SECRET-KEY-PQ-1")
    assert str(KEY.recipient).startswith("age1pq1")
    assert "seed" not in repr(KEY)


def test_only_its_own_key_opens_it() -> None:
    for other in (HybridIdentity.generate(), X25519Identity.generate()):
        with pytest.raises(SealError, match="not sealed to the identity"):
            age.decrypt(SMALL, [other])
    classical = age.encrypt(b"x", [X25519Identity.generate().recipient])
    with pytest.raises(SealError, match="not sealed to the identity"):
        age.decrypt(classical, [KEY])


def test_a_weak_half_is_refused() -> None:
    good = KEY.recipient.key
    with pytest.raises(SealError, match="no valid post-quantum key"):
        HybridRecipient(good[: hybrid.MLKEM_KEY_BYTES] + bytes(32))
    with pytest.raises(SealError, match="no valid post-quantum key"):
        HybridRecipient(b"\xff" * hybrid.MLKEM_KEY_BYTES + good[hybrid.MLKEM_KEY_BYTES :])
    with pytest.raises(SealError, match="32 bytes"):
        HybridIdentity(bytes(31))


@given(st.integers(0, 8 * len(SMALL) - 1))
@settings(max_examples=150)
def test_each_flipped_bit_is_refused(bit: int) -> None:
    flipped = bytearray(SMALL)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealError):
        age.decrypt(bytes(flipped), [KEY])


def test_the_command_makes_post_quantum_keys(tmp_path, capsys) -> None:
    path = str(tmp_path / "key")
    assert main(["keys", "new", "--post-quantum", path]) == 0
    made = capsys.readouterr().out
    assert made.startswith("age1pq1")
    assert main(["keys", "show", path]) == 0
    assert capsys.readouterr().out == made
