"""`sealshot keys`: pairs are made and shown, and nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealshot.runtime.cli.commands.parties import read_signing_key
from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.keys import parse_recipient, read_identities


def test_new_prints_the_recipient_and_show_prints_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "authority.key"
    assert main(["keys", "new", str(file)]) == 0
    made = capsys.readouterr()
    assert made.err == ""
    assert parse_recipient(made.out.rstrip("\n")) == read_identities(str(file))[0].recipient
    assert main(["keys", "show", str(file)]) == 0
    assert capsys.readouterr().out == made.out


def test_show_takes_what_age_keygen_wrote(
    stock_age, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stock_age("age-keygen", "-o", tmp_path / "key")
    assert main(["keys", "show", str(tmp_path / "key")]) == 0
    assert capsys.readouterr().out.encode() == stock_age("age-keygen", "-y", tmp_path / "key")


def test_new_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "authority.key"
    file.write_text("precious")
    assert main(["keys", "new", str(file)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "exists" in shown.err
    assert "hint: " in shown.err
    assert file.read_text() == "precious"


CASES = {
    "no such file": (["show", "absent.key"], "cannot read the key file absent.key"),
    "no such folder": (["new", "absent/key"], "cannot write the identity file absent/key"),
    "no action": ([], "required"),
    "other action": (["delete", "x"], "delete"),
    "no file": (["new"], "FILE"),
}


@pytest.mark.parametrize(("argv", "fact"), CASES.values(), ids=CASES.keys())
def test_bad_input_is_told_in_two_lines(
    argv: list[str],
    fact: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["keys", *argv]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert fact in error
    assert hint.startswith("hint: ")
    assert not list(tmp_path.iterdir())


def test_an_identity_in_the_place_of_a_signing_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "camera.key"
    assert main(["keys", "new", str(file)]) == 0
    with pytest.raises(SealError, match=r"camera\.key: it is not a signing key"):
        read_signing_key(file)
