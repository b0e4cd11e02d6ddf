"""`sealshot vault upload`: what waits is sent without a run; what is not sent is not lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sealshot.runtime.cli.commands import vault_upload
from sealshot.runtime.cli.main import main
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.logged import read_logged
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.store import Vault, list_objects
from sealshot.runtime.vault.targets import UploadError
from sealshot.runtime.vault.upload import SPOOL, Delivery, waiting

Left = Callable[[int], dict[str, bytes]]


class Down:
    """A server that takes nothing."""

    def deliver(self, name: str, data: bytes) -> None:
        raise UploadError("the network is gone")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_upload, "Delivery", partial(Delivery, first_wait_s=0.01))
    monkeypatch.setattr(vault_upload, "LOOK_EVERY_S", 0.01)


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def left(vault: Path, parties, shot, origin) -> Left:
    """A camera's run that ended without a network: its shots."""

    def make(count: int) -> dict[str, bytes]:
        down = replace(parties.sealing(), delivery=Delivery(Down()))
        with Keeper(vault, down) as keeper:
            for _ in range(count):
                keeper.put(shot, origin)
        assert len(waiting(vault)) == count
        return there(vault)

    return make


def there(vault: Path) -> dict[str, bytes]:
    return {found.id: found.path.read_bytes() for found in list_objects(vault)}


def events(vault: Path, parties, event: str) -> list[str]:
    """What the verified log has."""
    read_logged(vault / LOG, [read_party(parties.camera_pub, "camera")])
    lines = (vault / LOG).read_text().splitlines()
    entries = [json.loads(line.rpartition(" ")[0]) for line in lines]
    return sorted(entry["id"] for entry in entries if entry["event"] == event)


def upload(parties, vault: Path, url: str, *options: str) -> list[str]:
    return ["vault", "upload", str(vault), url, "--policy", str(parties.camera_policy), *options]


@pytest.mark.parametrize("after", ["keep", "delete"])
def test_what_waits_is_sent_and_logged(vault: Path, parties, left, server, capsys, after) -> None:
    objects = left(5)
    assert main(upload(parties, vault, server.template, "--after-upload", after)) == 0
    shown = capsys.readouterr()
    assert shown.out == "5 shots uploaded\n"
    assert "error" not in shown.err
    assert server.stored == objects
    assert there(vault) == (objects if after == "keep" else {})
    assert events(vault, parties, "uploaded") == sorted(objects)
    assert events(vault, parties, "purged") == ([] if after == "keep" else sorted(objects))
    assert not list((vault / SPOOL).iterdir())
    assert main(upload(parties, vault, server.template, "--json")) == 0
    assert json.loads(capsys.readouterr().out) == {"uploaded": 0, "left": 0, "interrupted": False}
    assert len(server.requests) == 5


def test_a_server_that_takes_nothing(vault: Path, parties, left, server, capsys) -> None:
    objects = left(4)
    server.manners = ["403"] * 3
    options = ("--tries", "3", "--after-upload", "delete")
    assert main(upload(parties, vault, server.template, *options)) == 1
    shown = capsys.readouterr()
    assert shown.out == "0 shots uploaded, 4 left\n"
    assert shown.err.count("answered 403") == 1
    error, hint = shown.err.splitlines()[-2:]
    assert error == "error: 4 of 4 shots are not uploaded"
    assert hint.startswith("hint: ")
    assert len(server.requests) == 3
    assert there(vault) == objects
    assert waiting(vault) == sorted(objects)
    assert events(vault, parties, "uploaded") == []
    assert main(upload(parties, vault, server.template)) == 0
    assert server.stored == objects


def test_it_tries_again(vault: Path, parties, left, server, capsys) -> None:
    objects = left(3)
    server.manners = ["500", "drop", "ok", "garbage", "500", "other bytes", "drop", "ok"]
    assert main(upload(parties, vault, server.template, "--tries", "5")) == 0
    shown = capsys.readouterr()
    assert "upload fails: " in shown.err
    assert "upload works again" in shown.err
    assert server.stored == objects
    assert waiting(vault) == []


def test_one_that_is_refused_holds_up_no_other(vault: Path, parties, left, server, capsys) -> None:
    objects = left(4)
    refused = sorted(objects)[0]
    server.refused = {refused}
    assert main(upload(parties, vault, server.template, "--tries", "3", "--json")) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"uploaded": 3, "left": 1, "interrupted": False}
    assert "1 of 4 shots are not uploaded" in shown.err
    assert server.stored.keys() == objects.keys() - {refused}
    assert waiting(vault) == [refused]
    assert events(vault, parties, "uploaded") == sorted(server.stored)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)]
)
def test_an_end_half_way_loses_nothing(
    vault: Path, parties, left, server, wait_until, number: int, code: int
) -> None:
    objects = left(5)
    server.manners = ["ok", "ok", "hang"]
    argv = upload(parties, vault, server.template, "--after-upload", "delete", "--json")
    command = [sys.executable, "-m", "sealshot", *argv]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(server.requests) == 3)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert len(waiting(vault)) == 3
    if number != signal.SIGKILL:
        assert json.loads(out) == {"uploaded": 2, "left": 3, "interrupted": True}
        assert events(vault, parties, "uploaded") == sorted(server.stored)
        assert there(vault).keys() == objects.keys() - server.stored.keys()
    assert main(argv) == 0
    assert server.stored == objects
    assert there(vault) == {}
    assert events(vault, parties, "uploaded") == sorted(objects)
    assert len(server.requests) == 6  # what hung was sent again, and nothing else
    assert not list((vault / SPOOL).iterdir())


def test_of_recipients_without_a_log(vault: Path, server, capsys, tmp_path: Path) -> None:
    """What is over its time is deleted, as a run does, and not sent."""
    over, later = f"2020-01-01/{'0' * 32}.age", f"2120-01-01/{'1' * 32}.age"
    with Vault(vault) as store:
        for name in (over, later):
            store.store(name.encode(), name=name)
    (vault / SPOOL).mkdir()
    for name in (over, later):
        (vault / SPOOL / name.replace("/", "_")).touch()
    argv = ["vault", "upload", str(vault), server.template, "--retention", "30d"]
    assert main(argv) == 0
    assert "1 shots were deleted on time" in capsys.readouterr().err
    assert server.stored == there(vault) == {later: later.encode()}
    assert not (vault / LOG).exists()


def test_not_while_a_run_holds_the_log(vault: Path, parties, left, server, capsys) -> None:
    left(1)
    with Keeper(vault, parties.sealing()):
        assert main(upload(parties, vault, server.template)) == 1
    assert "another process writes to the log" in capsys.readouterr().err
    assert server.requests == []


BAD_INPUT = [
    (("{absent}", "{url}"), "cannot read the vault"),
    (("{file}", "{url}"), "cannot read the vault"),
    (("{vault}",), "required"),
    (("{vault}", "http://host/path"), "no {name} in it"),
    (("{vault}", "vault/"), "cannot be uploaded to"),
    (("{vault}", "{url}"), "has a log"),
    (("{vault}", "{url}", "--policy", "{policy}"), "enrolled camera"),
    (("{vault}", "{url}", "--policy", "{camera}", "--retention", "1d"), "leave --retention out"),
    (("{vault}", "{url}", "--policy", "{camera}", "--tries", "0"), "1 or more"),
    (("{vault}", "{url}", "--policy", "{camera}", "--after-upload", "burn"), "invalid choice"),
]


@pytest.mark.parametrize(("given", "fact"), BAD_INPUT)
def test_bad_input_is_told_in_two_lines_and_changes_nothing(
    vault: Path, parties, left, server, capsys, tmp_path: Path, given: tuple[str, ...], fact: str
) -> None:
    objects = left(1)
    (tmp_path / "file").write_text("no vault")
    places = {
        "{absent}": tmp_path / "absent",
        "{file}": tmp_path / "file",
        "{vault}": vault,
        "{url}": server.template,
        "{policy}": parties.policy,
        "{camera}": parties.camera_policy,
    }
    before = sorted(tmp_path.rglob("*"))
    assert main(["vault", "upload", *(str(places.get(part, part)) for part in given)]) == 2
    shown = capsys.readouterr()
    error, hint = shown.err.splitlines()
    assert shown.out == ""
    assert fact in error
    assert hint.startswith("hint: ")
    assert sorted(tmp_path.rglob("*")) == before
    assert there(vault) == objects
    assert server.requests == []


def test_a_folder_where_nothing_waits_is_left_as_it_is(tmp_path: Path, server, capsys) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    assert main(["vault", "upload", str(tmp_path), server.template]) == 0
    assert "nothing waits here" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_vault_that_was_filled_without_upload_is_sent_whole(
    tmp_path: Path, parties, shot, origin, server, capsys
) -> None:
    vault = tmp_path / "filled"
    with Keeper(vault, parties.sealing()) as keeper:
        names = {keeper.put(shot, origin) for _ in range(2)}
    assert main(upload(parties, vault, server.template)) == 0
    shown = capsys.readouterr()
    assert "filled without --upload: all of its shots are sent" in shown.err
    assert shown.out == "2 shots uploaded\n"
    assert server.stored.keys() == names
    assert main(upload(parties, vault, server.template)) == 0
    assert capsys.readouterr().out == "0 shots uploaded\n"


def test_the_time_of_a_file_tells_the_hour_alone(tmp_path: Path, parties, shot, origin) -> None:
    with Keeper(tmp_path / "vault", parties.sealing()) as keeper:
        name = keeper.put(shot, origin)
    assert (tmp_path / "vault" / name).stat().st_mtime % 3600 == 0
