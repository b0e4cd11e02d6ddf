"""Bech32 against the vectors of BIP 173, and against damage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealshot.runtime.age import bech32

VALID = [
    "A12UEL5L",
    "a12uel5l",
    "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
    "11" + "q" * 82 + "c8247j",
    "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
    "?1ezyfcl",
    # Too long for BIP 173, but age sets no limit.
    "an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1569pvx",
]

INVALID = {
    "space in the prefix": "\x201nwldj5",
    "0x7f in the prefix": "\x7f1axkwrx",
    "0x80 in the prefix": "\x801eym55h",
    "no separator": "pzry9x0s0muk",
    "empty prefix": "1pzry9x0s0muk",
    "character of data": "x1b4n0q5v",
    "short checksum": "li1dgmt3",
    "character of checksum": "de1lg7wt\xff",
    "checksum over upper case": "A1G7SGD8",
    "no prefix": "10a06t8",
    "empty prefix, valid checksum": "1qzzfhee",
    "mixed case": "A12uEL5L",
    "nothing": "",
    "folds to a letter when lowered": "\u212a12uel5l",
}


@pytest.mark.parametrize("text", VALID)
def test_decodes_and_encodes_again(text: str) -> None:
    assert bech32.encode(*bech32.decode(text)) == text.lower()


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID.keys())
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"case|short|prefix|character|checksum"):
        bech32.decode(text)


def _with_checksum(prefix: str, values: list[int]) -> str:
    """Encode any five-bit values, also those that are no whole bytes."""
    polymod = bech32._polymod([*bech32._expand(prefix), *values, *[0] * 6]) ^ 1
    values = values + [polymod >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(bech32._ALPHABET[value] for value in values)


@pytest.mark.parametrize(
    ("values", "data"),
    [([31, 28], b"\xff"), ([31, 29], None), ([31, 28, 0], None), ([0], None), ([], b"")],
    ids=["zero padding", "padding of ones", "a character too many", "less than a byte", "empty"],
)
def test_padding_is_least_and_zero(values: list[int], data: bytes | None) -> None:
    text = _with_checksum("age", values)
    if data is None:
        with pytest.raises(ValueError, match="last character"):
            bech32.decode(text)
    else:
        assert bech32.decode(text) == ("age", data)


@given(st.binary(max_size=80))
def test_round_trip(data: bytes) -> None:
    assert bech32.decode(bech32.encode("age", data)) == ("age", data)


@given(st.binary(min_size=32, max_size=32), st.data())
def test_one_wrong_character_is_found(data: bytes, draw: st.DataObject) -> None:
    text = bech32.encode("age", data)
    at = draw.draw(st.integers(4, len(text) - 1))
    wrong = draw.draw(st.sampled_from(bech32._ALPHABET).filter(lambda c: c != text[at]))
    with pytest.raises(ValueError, match="checksum"):
        bech32.decode(text[:at] + wrong + text[at + 1 :])


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    try:
        prefix, data = bech32.decode(text)
    except ValueError:
        return
    assert bech32.encode(prefix, data) == text.lower()
