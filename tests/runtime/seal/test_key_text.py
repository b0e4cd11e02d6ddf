"""Recipients and identity files as text: what is read, what is refused, and what is never shown."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealshot.runtime.age import bech32
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.errors import InputError, SealError, SealshotError
from sealshot.runtime.seal import keys

KEY = X25519Identity(bytes(range(32)))
SECRET = KEY.secret_text()
PUBLIC = str(KEY.recipient)
# The example of the age specification.
SPEC_SECRET = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
SPEC_PUBLIC = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"


def test_the_specification_s_example() -> None:
    identity = keys.parse_identity(SPEC_SECRET)
    assert identity == X25519Identity(b"\x42" * 32)
    assert str(identity.recipient) == SPEC_PUBLIC
    assert keys.parse_recipient(SPEC_PUBLIC) == identity.recipient
    assert identity.secret_text() == SPEC_SECRET


BAD_RECIPIENTS = {
    "": "not begin with age1",
    "judge": "not begin with age1",
    "age1": "too short",
    PUBLIC[:-1]: "checksum",
    PUBLIC[:20] + ("q" if PUBLIC[20] != "q" else "p") + PUBLIC[21:]: "checksum",
    PUBLIC.replace("age1", "age1Q"): "mixed",
    PUBLIC.upper(): "not begin with age1",
    PUBLIC + " ": "not allowed",
    bech32.encode("age1pq", bytes(1215)): "1216 bytes",
    bech32.encode("age1pq", bytes(1216)): "no valid post-quantum key",
    bech32.encode("age1pq", b"\xff" * 1216): "no valid post-quantum key",
    bech32.encode("age1yubikey", bytes(33)): "neither an X25519 key",
    bech32.encode("age", bytes(31)): "32 bytes",
    bech32.encode("age", bytes(33)): "32 bytes",
    bech32.encode("age", bytes(32)): "weak key",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM": "not begin with age1",
    SECRET: "secret",
    SECRET.lower(): "secret",
    SECRET[:-3]: "secret",
}


@pytest.mark.parametrize(("text", "fact"), BAD_RECIPIENTS.items(), ids=lambda text: text[:24])
def test_bad_recipients_are_refused(text: str, fact: str) -> None:
    with pytest.raises(SealError, match=fact) as caught:
        keys.parse_recipient(text)
    assert caught.value.hint
    assert len(text) < 6 or text not in caught.value.fact + caught.value.hint


BAD_IDENTITIES = {
    SECRET[:-1]: "checksum",
    SECRET.lower(): "neither an X25519 key",
    SECRET.replace("AGE", "age"): "mixed",
    PUBLIC: "public",
    bech32.encode("age-secret-key-", bytes(31)).upper(): "32 bytes",
    bech32.encode("age-secret-key-pq-", bytes(31)).upper(): "32 bytes",
    bech32.encode("age-plugin-yubikey-", bytes(40)).upper(): "in hardware",
    "-----BEGIN OPENSSH PRIVATE KEY-----": "malformed|mixed",
}


@pytest.mark.parametrize(("text", "fact"), BAD_IDENTITIES.items(), ids=lambda text: text[:20])
def test_bad_identities_are_refused(text: str, fact: str) -> None:
    with pytest.raises(SealError, match=fact) as caught:
        keys.parse_identity(text)
    assert caught.value.hint
    assert text not in caught.value.fact + caught.value.hint


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    for hostile in (text, "age1" + text, "AGE-SECRET-KEY-1" + text):
        for parse in (keys.parse_recipient, keys.parse_identity):
            with pytest.raises(SealError):
                parse(hostile)


def test_identity_file_is_what_age_keygen_writes(stock_age, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    keys.write_identity(ours, KEY)
    stock_age("age-keygen", "-o", theirs)
    shape = (
        r"# created: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)\n"
        r"# public key: age1[0-9a-z]{58}\nAGE-SECRET-KEY-1[0-9A-Z]{58}\n"
    )
    for file in (ours, theirs):
        assert re.fullmatch(shape, file.read_text())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        shown = [str(identity.recipient) for identity in keys.read_identities(str(file))]
        assert shown == [stock_age("age-keygen", "-y", file).decode().strip()]
        assert f"# public key: {shown[0]}" in file.read_text()


def test_identity_file_is_private_under_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keys.write_identity(tmp_path / "key", KEY)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


@pytest.mark.parametrize("there", ["a file", "a link to nothing", "a folder"])
def test_identity_file_is_never_overwritten(there: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    if there == "a file":
        path.write_text("precious")
    elif there == "a folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="exists"):
        keys.write_identity(path, KEY)
    assert os.listdir(tmp_path) == ["key"]  # noqa: PTH208
    assert there != "a file" or path.read_text() == "precious"


def test_identity_file_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="No such file"):
        keys.write_identity(tmp_path / "absent" / "key", KEY)

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SealshotError, match="No space left") as caught:
        keys.write_identity(tmp_path / "key", KEY)
    assert caught.value.exit_code == 1  # nothing that was given is wrong
    assert not list(tmp_path.iterdir())
    assert SECRET not in str(caught.value.__context__)


def test_identity_files_are_read_leniently_where_age_is(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(f"# two keys\r\n\r\n{SECRET}\r\n  \n{SPEC_SECRET}".encode())
    assert keys.read_identities(str(file)) == [KEY, keys.parse_identity(SPEC_SECRET)]


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "holds no identity"),
    "comments only": (b"# created: now\n\n", "holds no identity"),
    "damaged line": (f"# a\n{SPEC_SECRET}\n{SECRET[:-2]}\n".encode(), "line 3: .*checksum"),
    "recipients": (PUBLIC.encode(), "line 1: .*public"),
    "locked": (b"age-encryption.org/v1\n-> scrypt a 18\n", "passphrase"),
    "locked, armored": (b"-----BEGIN AGE ENCRYPTED FILE-----\n", "passphrase"),
    "binary": (bytes(range(256)) * 4, "line 1: "),
    "a video": (b"\0" * (keys.KEY_FILE_LIMIT + 1), "too large"),
}


@pytest.mark.parametrize(("content", "fact"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_files_that_hold_no_identity(content: bytes, fact: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(SealError, match=fact) as caught:
        keys.read_identities(str(file))
    assert caught.value.hint
    assert SECRET[16:-2] not in caught.value.fact


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, fact in ((tmp_path / "absent", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(SealError, match=fact):
            keys.read_identities(str(path))


def test_identities_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SECRET.encode())))
    assert keys.read_identities("-") == [KEY]
    with pytest.raises(SealError, match="standard input holds no identity"):
        keys.read_identities("-")


def test_recipients_as_text_and_as_files(tmp_path: Path) -> None:
    file = tmp_path / "agency.txt"
    file.write_text(f"# the judges\n{SPEC_PUBLIC}\n\n{PUBLIC}\n")
    spec = keys.parse_recipient(SPEC_PUBLIC)
    assert keys.parse_recipients([PUBLIC]) == [KEY.recipient]
    assert keys.parse_recipients([PUBLIC, str(file)]) == [KEY.recipient, spec, KEY.recipient]


def test_bad_recipients_are_told_by_their_place(tmp_path: Path) -> None:
    with pytest.raises(SealError, match=r"recipient 2 of 2: .*checksum"):
        keys.parse_recipients([PUBLIC, SPEC_PUBLIC[:-1]])
    with pytest.raises(SealError, match=r"^the recipient does not begin"):
        keys.parse_recipients(["absent.txt"])
    (tmp_path / "key").write_text(f"# a comment\n{SECRET}\n")
    with pytest.raises(SealError, match="line 2: an identity") as caught:
        keys.parse_recipients([str(tmp_path / "key")])
    assert SECRET not in caught.value.fact + caught.value.hint
