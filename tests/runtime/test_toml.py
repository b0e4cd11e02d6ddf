"""TOML: of a text that is none it is said where and what."""

import pytest

from sealshot.runtime.toml import TomlError, read_toml

NONE = {
    "a word": ("a = 1\nhello\nb = 2\n", 2, "this is no TOML: expected '='"),
    "a value that is missing": ("a = 1\n\nb = ", 3, "this is no TOML: invalid value"),
    "a name twice": ("a = 1\na = 2\n", 2, "this is no TOML: cannot overwrite a value"),
    "tables in tables": ("x = " + 2000 * "[" + 2000 * "]", 1, "nested too deep"),
    "a number in thousands of digits": ("x = " + 5000 * "9", 1, "too many digits"),
}


@pytest.mark.parametrize("case", NONE)
def test_it_is_said_where_a_text_is_no_toml(case: str) -> None:
    text, line, fact = NONE[case]
    with pytest.raises(TomlError) as caught:
        read_toml(text)
    assert caught.value.line == line
    assert fact in caught.value.fact
    assert str(caught.value) == f"line {line}: {caught.value.fact}"


def test_toml_is_read() -> None:
    assert read_toml('a = 7\n[b]\nc = "d"\n') == {"a": 7, "b": {"c": "d"}}
