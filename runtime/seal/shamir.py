"""Shamir's secret sharing over GF(2^8), the field of AES: any m of n shares give the secret back.

A share is its value, as long as the secret, and one byte with its index x = 1...255: what the npm
package `shamir-secret-sharing` and HashiCorp Vault write. All bytes of a secret are worked on at
once, as one integer, and are only ever multiplied by public numbers (the indices), so that no
branch and no table look-up depends on a secret.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

MAX_SHARES = 255


def split(secret: bytes, threshold: int, count: int) -> list[bytes]:
    """Return ``count`` shares of a secret; fewer than ``threshold`` of them tell nothing of it."""
    if not secret or not 1 <= threshold <= count <= MAX_SHARES:
        raise ValueError("a split needs a secret and 1 <= threshold <= count <= 255")
    size = len(secret)
    # Highest coefficient first; all are uniform, 0 included: to leave it out would tell something.
    coefficients = [int.from_bytes(os.urandom(size), "big") for _ in range(threshold - 1)]
    coefficients.append(int.from_bytes(secret, "big"))
    shares = []
    for x in range(1, count + 1):
        value = 0
        for coefficient in coefficients:  # Horner's rule
            value = _multiply(value, x, size) ^ coefficient
        shares.append(value.to_bytes(size, "big") + bytes([x]))
    return shares


def combine(shares: Sequence[bytes]) -> bytes:
    """Return the secret of ``threshold`` or more shares; of fewer, or wrong ones, anything.

    Raises:
        ValueError: the shares cannot be of one secret: lengths differ, or an index stands twice.
    """
    sizes = {len(share) for share in shares}
    indices = [share[-1] for share in shares if share]
    if len(sizes) != 1 or min(sizes) < 2:
        raise ValueError("the shares do not have one length")
    if len(set(indices)) != len(shares) or 0 in indices:
        raise ValueError("a share stands twice, or has no index")
    size = sizes.pop() - 1
    secret = 0
    for share in shares:
        weight = 1  # Lagrange's basis polynomial of this share, at 0
        for other in indices:
            if other != share[-1]:
                weight = _multiply(weight, _multiply(other, _invert(other ^ share[-1]), 1), 1)
        secret ^= _multiply(int.from_bytes(share[:-1], "big"), weight, size)
    return secret.to_bytes(size, "big")


def _multiply(values: int, scalar: int, size: int) -> int:
    """Multiply each of ``size`` bytes by a public number, modulo x^8 + x^4 + x^3 + x + 1."""
    high_bits = int.from_bytes(b"\x80" * size, "big")
    product = 0
    while scalar:
        product ^= values * (scalar & 1)
        carry = values & high_bits
        values = (values ^ carry) << 1 ^ (carry >> 7) * 0x1B
        scalar >>= 1
    return product


def _invert(value: int) -> int:
    """Return ``value`` to the power of 254, which is its inverse (public numbers only)."""
    result = 1
    for _ in range(254):
        result = _multiply(result, value, 1)
    return result
