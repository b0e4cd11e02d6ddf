"""Bech32 (BIP 173) without its limit on length: the text form of age keys."""

from __future__ import annotations

from collections.abc import Iterable

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6  # characters


def encode(prefix: str, data: bytes) -> str:
    """Return ``data`` under ``prefix`` (lower case), in lower case."""
    values = _regroup(data, 8, 5)
    polymod = _polymod([*_expand(prefix), *values, *[0] * _CHECKSUM]) ^ 1
    checksum = [polymod >> 5 * (_CHECKSUM - 1 - i) & 31 for i in range(_CHECKSUM)]
    return prefix + "1" + "".join(_ALPHABET[value] for value in (*values, *checksum))


def decode(text: str) -> tuple[str, bytes]:
    """Return the prefix (lower case) and the data of a Bech32 string.

    Raises:
        ValueError: the reason as a phrase, which never quotes ``text``: it may be a secret.
    """
    if text not in (text.lower(), text.upper()):
        raise ValueError("upper and lower case are mixed")
    text = text.lower()
    prefix, separator, rest = text.rpartition("1")
    if not separator or not prefix or len(rest) < _CHECKSUM:
        raise ValueError("it is too short or has no separator")
    if not all("!" <= character <= "~" for character in prefix):
        raise ValueError("its prefix has a character that is not allowed")
    if not set(rest) <= set(_ALPHABET):
        raise ValueError("it has a character that is not allowed")
    values = [_ALPHABET.index(character) for character in rest]
    if _polymod([*_expand(prefix), *values]) != 1:
        raise ValueError("its checksum is wrong: a character is mistyped or missing")
    return prefix, bytes(_regroup(values[:-_CHECKSUM], 5, 8))


def _expand(prefix: str) -> list[int]:
    codes = prefix.encode("ascii")
    return [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]


def _polymod(values: Iterable[int]) -> int:
    remainder = 1
    for value in values:
        remainder = (remainder & 0x1FFFFFF) << 5 ^ value ^ _REDUCED[remainder >> 25]
    return remainder


def _reduce(top: int) -> int:
    """Return what the five bits that leave the remainder add to it."""
    remainder = 0
    for bit, generator in enumerate(_GENERATOR):
        remainder ^= generator * (top >> bit & 1)
    return remainder


_REDUCED = [_reduce(top) for top in range(32)]


def _regroup(values: Iterable[int], width: int, new_width: int) -> list[int]:
    """Cut a string of ``width``-bit values into ``new_width``-bit ones.

    From bytes to characters the last one is padded with zeros; on the way back anything but the
    least such padding is refused.
    """
    result, bits, count = [], 0, 0
    for value in values:
        bits, count = bits << width | value, count + width
        while count >= new_width:
            count -= new_width
            result.append(bits >> count)
            bits &= (1 << count) - 1
    if new_width < width and count:
        result.append(bits << new_width - count)
    elif new_width > width and (count >= width or bits):
        raise ValueError("its last character carries bits that belong to no byte")
    return result
