"""Files made to hang, to fill the memory or to take minutes: refused at once."""

from __future__ import annotations

import base64
import json
import os
import signal
import struct
import time
from pathlib import Path

import pytest

from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import SealError, SealshotError
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.checkpoint import LogError
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.warrant import parse_warrant
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.store import list_objects

LIMIT_S = 5.0


@pytest.fixture(autouse=True)
def in_time():
    start = time.monotonic()
    yield
    assert time.monotonic() - start < 20


def lay_pipe(path: Path) -> None:
    os.mkfifo(path)


def lay_sparse_terabyte(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**12)


def lay_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("lay", [lay_pipe, lay_sparse_terabyte, lay_link])
def test_an_object_that_is_no_file_hangs_nothing(
    lay, parties, shot, origin, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = tmp_path / "vault"
    with Keeper(vault, parties.sealing()) as keeper:
        kept = keeper.put(shot, origin)
    weapon = (vault / kept).with_name("f" * 32 + ".sealed")
    lay(weapon)
    with Keeper(vault, parties.sealing()) as keeper:
        keeper.put(shot, origin)
    assert weapon.name in {found.path.name for found in list_objects(vault)}
    capsys.readouterr()
    policy = str(parties.camera_policy)
    assert main(["vault", "verify", str(vault), "--policy", policy]) == 1
    assert "cannot be read" in capsys.readouterr().out
    argv = ["open", str(weapon), "--identity", str(parties.investigator)]
    assert main([*argv, "-o", str(tmp_path / "out")]) == 2


@pytest.fixture
def no_hang():
    """A read that waits for ever ends with an error that nothing takes for its own."""

    def told(*_: object) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, told)
    signal.alarm(15)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", ["log", "log.checkpoint", ".clock"])
def test_a_pipe_in_a_vault_stops_no_start_and_no_check_for_ever(
    name: str, parties, shot, origin, tmp_path: Path, capsys, no_hang
) -> None:
    vault = tmp_path / "vault"
    with Keeper(vault, parties.sealing()) as keeper:
        keeper.put(shot, origin)
    (vault / name).unlink()
    lay_pipe(vault / name)
    with pytest.raises(SealshotError, match="no regular file"):
        Keeper(vault, parties.sealing())
    code = main(["vault", "verify", str(vault), "--policy", str(parties.camera_policy)])
    assert code == (1 if name == ".clock" else 2)


@pytest.mark.parametrize("name", ["camera.days", "camera.key", "policy.toml", "cam1.pub"])
def test_a_pipe_in_the_folder_of_a_camera_is_told(
    name: str, copied_parties, shot, origin, tmp_path: Path, capsys, no_hang
) -> None:
    policy, vault = copied_parties.camera_policy, tmp_path / "vault"
    with Keeper(vault, copied_parties.sealing()) as keeper:
        keeper.put(shot, origin)
    policy.with_name(name).unlink()
    lay_pipe(policy.with_name(name))
    assert main(["vault", "purge", str(vault), "--policy", str(policy)]) == 2
    assert "no regular file" in capsys.readouterr().err


def test_a_key_of_a_pipe_is_refused_and_one_of_a_shell_is_read(
    parties, tmp_path: Path, capsys, no_hang
) -> None:
    lay_pipe(tmp_path / "key")
    assert main(["keys", "show", str(tmp_path / "key")]) == 2
    assert "no regular file" in capsys.readouterr().err
    read, write = os.pipe()
    os.write(write, parties.investigator.read_bytes())
    os.close(write)
    assert main(["keys", "show", f"/dev/fd/{read}"]) == 0
    os.close(read)
    assert capsys.readouterr().out.startswith("age1pq1")


def test_a_log_that_is_a_link_is_left_as_it_is(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"no line feed at its end")
    (tmp_path / "log").symlink_to(target)
    with pytest.raises(LogError):
        Log(tmp_path / "log", "cam1", SigningKey.generate())
    assert target.read_bytes() == b"no line feed at its end"


def test_what_is_no_log_of_ours_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"my notes\nand a torn line")
    with pytest.raises(LogError):
        Log(path, "cam1", SigningKey.generate())
    assert path.read_bytes() == b"my notes\nand a torn line"


@pytest.mark.parametrize("counted", [2, 65_535])
def test_a_directory_of_a_million_entries_is_not_read(counted: int) -> None:
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, *[0] * 14) + b""
    directory = entry * 1_000_000
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, counted, counted, len(directory), 0, 0)
    start = time.monotonic()
    with pytest.raises(SealError):
        read_container(directory + end)
    assert time.monotonic() - start < LIMIT_S


def test_what_is_after_a_zip_is_not_passed_over() -> None:
    data = write_zip({"a": b"1"})
    assert read_zip(data, limit=1) == {"a": b"1"}
    for other in (data + b"x", b"x" + data, data[:-1], b"", data[-22:]):
        with pytest.raises(ValueError, match="not a readable ZIP"):
            read_zip(other, limit=1)
    with pytest.raises(ValueError, match="too many"):
        read_zip(write_zip({"a": b"1", "b": b"2"}), limit=1)


def test_hundreds_of_signatures_are_counted_before_they_are_checked(classical) -> None:
    document = json.loads(classical.warrant("judge").document.encode())
    key = str(SigningKey.generate().verify_key)
    forged = {"key": key, "signature": base64.b64encode(bytes(64)).decode()}
    document["signatures"] = [forged] * 100_000
    data = json.dumps(document).encode()
    start = time.monotonic()
    with pytest.raises(SealError, match="more than 256 signatures"):
        parse_warrant(data)
    assert time.monotonic() - start < LIMIT_S
