"""`-o` is refused before the work where it could never be written."""

import os
import tempfile
from pathlib import Path

import pytest

from sealshot.runtime.cli.arguments import Arguments, file_in_folder, output_file, output_folder
from sealshot.runtime.errors import InputError


def parse(kind, path):
    arguments = Arguments("command", "usage")
    arguments.add_argument("-o", type=kind)
    return arguments.parse_args(["-o", str(path)]).o


@pytest.fixture
def places(tmp_path):
    (tmp_path / "file").write_bytes(b"here")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", ["new", "file", "folder/new", "not/yet/there"])
def test_a_file_that_can_be_written(places, monkeypatch, name):
    assert parse(output_file, places / name) == places / name
    monkeypatch.chdir(places)
    assert str(parse(output_file, name)) == name
    assert sorted(p.name for p in places.rglob("*")) == ["file", "folder"]  # nothing was made


@pytest.mark.parametrize("name", ["new", "folder", "not/yet/there", "."])
def test_a_folder_that_can_be_written_into(places, name):
    assert parse(output_folder, places / name) == places / name


@pytest.mark.parametrize(
    ("kind", "name", "why"),
    [
        (output_file, "folder", "Is a directory"),
        (output_file, "file/new", "Not a directory"),
        (output_file, "file/new/er", "Not a directory"),
        (file_in_folder, "folder", "Is a directory"),
        (file_in_folder, "not/yet/there", "No such file or directory"),
        (output_folder, "file", "Not a directory"),
        (output_folder, "file/new", "Not a directory"),
    ],
)
def test_what_never_could_be_written(places, kind, name, why):
    with pytest.raises(InputError, match=f"cannot write .*{name.split('/')[0]}.*: {why}"):
        parse(kind, places / name)


@pytest.mark.parametrize("kind", [output_file, file_in_folder, output_folder])
@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_without_permission(kind, mode):
    """Root may write anywhere, so that the test acts as `nobody` for a moment."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "owned"
        folder.mkdir()
        Path(name).chmod(0o755)
        folder.chmod(mode)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(InputError, match="Permission denied"):
                parse(kind, folder / "new" / "er")
        finally:
            os.seteuid(user)
            folder.chmod(0o755)
