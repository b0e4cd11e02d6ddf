"""Shamir's secret sharing: another implementation, every quorum, and what fewer shares tell."""

from __future__ import annotations

import base64
import itertools
import os
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealshot.runtime.seal.shamir import _invert, _multiply, combine, split


def _slow_multiply(a: int, b: int) -> int:
    """The field's definition: polynomials over GF(2), modulo 0x11b."""
    product = 0
    for bit in range(8):
        product ^= (a << bit) * (b >> bit & 1)
    for bit in range(14, 7, -1):
        product ^= (0x11B << bit - 8) * (product >> bit & 1)
    return product


def test_the_field() -> None:
    for a, b in itertools.product(range(256), repeat=2):
        assert _multiply(a, b, 1) == _slow_multiply(a, b)
    assert all(_multiply(a, _invert(a), 1) == 1 for a in range(1, 256))
    assert _multiply(0x57, 0x83, 1) == 0xC1  # FIPS 197, section 4.2


def test_all_bytes_are_multiplied_apart() -> None:
    for scalar in (0, 1, 2, 3, 128, 255):
        product = _multiply(int.from_bytes(range(256), "big"), scalar, 256).to_bytes(256, "big")
        assert list(product) == [_slow_multiply(value, scalar) for value in range(256)]


@given(st.binary(min_size=1, max_size=40), st.integers(1, 6), st.integers(0, 3))
@settings(max_examples=60)
def test_every_quorum_gives_the_secret(secret: bytes, threshold: int, spare: int) -> None:
    shares = split(secret, threshold, threshold + spare)
    for chosen in itertools.permutations(shares[:4], min(threshold, 4)):
        if threshold <= 4:
            assert combine(chosen) == secret
    assert combine(shares) == secret


def test_fewer_shares_tell_nothing() -> None:
    """A share of 2-of-2 is uniform whatever the secret is: chi-squared over all byte values."""
    for secret in (b"\x00", b"\xff"):
        counts = Counter(split(secret, 2, 2)[0][0] for _ in range(25_600))
        chi_squared = sum((counts[value] - 100) ** 2 / 100 for value in range(256))
        assert 150 < chi_squared < 380  # 255 degrees of freedom; 1 run in 10^6 falls outside


def test_too_few_shares_do_not_give_the_secret() -> None:
    for _ in range(50):
        secret = os.urandom(32)
        assert combine(split(secret, 3, 5)[:2]) != secret


def test_npm_combines_ours_and_we_combine_its(npm_peer) -> None:
    cases = [(2, 2), (2, 3), (3, 5), (5, 5), (2, 255), (20, 40)]
    secrets = [os.urandom(32) for _ in cases]
    ours = [split(s, m, n)[-m:] for s, (m, n) in zip(secrets, cases, strict=True)]
    answers = npm_peer(
        *({"op": "combine", "shares": shares} for shares in ours),
        *(
            {"op": "split", "data": secret, "count": n, "threshold": m}
            for secret, (m, n) in zip(secrets, cases, strict=True)
        ),
    )
    assert [base64.b64decode(answer) for answer in answers[:6]] == secrets
    for secret, (m, _), theirs in zip(secrets, cases, answers[6:], strict=True):
        assert combine([base64.b64decode(share) for share in theirs][:m]) == secret


@pytest.mark.parametrize(
    ("secret", "threshold", "count"), [(b"", 1, 1), (b"x", 0, 1), (b"x", 3, 2), (b"x", 2, 256)]
)
def test_impossible_splits(secret: bytes, threshold: int, count: int) -> None:
    with pytest.raises(ValueError, match="a split needs"):
        split(secret, threshold, count)


@pytest.mark.parametrize(
    "shares",
    [[], [b""], [b"\x01"], [b"ab\x01", b"a\x02"], [b"a\x01", b"b\x01"], [b"a\x00", b"b\x01"]],
    ids=str,
)
def test_shares_that_do_not_belong_together(shares: list[bytes]) -> None:
    with pytest.raises(ValueError, match="share"):
        combine(shares)
