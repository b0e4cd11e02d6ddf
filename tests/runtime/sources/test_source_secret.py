"""An address out of a file, or from systemd."""

from __future__ import annotations

import pytest

from sealshot.runtime.errors import InputError
from sealshot.runtime.sources.secret import read_secret

ADDRESS = "rtsp://user:geheim@camera/live#1"


def test_a_file_of_one_line(tmp_path, reports) -> None:
    path = tmp_path / "source"
    path.touch(mode=0o600)
    path.write_text(f"\n# the camera at the gate\n  {ADDRESS}\n")
    assert read_secret(str(path)) == ADDRESS
    assert reports == []
    path.chmod(0o644)
    assert read_secret(str(path)) == ADDRESS
    assert "chmod 600" in reports[0]


def test_a_credential_of_systemd(tmp_path, monkeypatch, reports) -> None:
    (tmp_path / "gate").write_text(ADDRESS)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret("credential:gate") == ADDRESS
    assert reports == []
    for wrong in ("credential:", "credential:..", "credential:../source", "credential:none"):
        with pytest.raises(InputError):
            read_secret(wrong)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(InputError, match="there is no credential"):
        read_secret("credential:gate")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "has 0 lines"),
        (f"{ADDRESS}\n{ADDRESS}\n".encode(), "has 2 lines"),
        (b"\xff\xfe", "is no text"),
        (b"x" * 70_000, "larger than"),
    ],
)
def test_what_is_no_address_is_refused_and_not_told(tmp_path, content, why) -> None:
    path = tmp_path / "source"
    path.write_bytes(content)
    with pytest.raises(InputError, match=why) as caught:
        read_secret(str(path))
    assert "geheim" not in caught.value.fact + caught.value.hint


def test_a_folder_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="Is a directory"):
        read_secret(str(tmp_path))
