"""`sealshot open`: opens what can be opened, tells the rest, and leaves nothing half-written."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import stat
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import av
import pytest

from sealshot.runtime.age import age
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.commands import objects
from sealshot.runtime.cli.commands import open as open_command
from sealshot.runtime.cli.main import main
from sealshot.runtime.cli.words import PERCENTILE
from sealshot.runtime.seal.envelope import seal, unseal
from sealshot.runtime.seal.keys import write_identity
from sealshot.runtime.seal.payload import Origin
from sealshot.runtime.types import Shot
from sealshot.runtime.vault.store import Vault

Open = Callable[..., int]


@pytest.fixture
def sealed(shot: Shot, origin: Origin, identity: X25519Identity) -> bytes:
    return seal(shot, [identity.recipient], origin)


@pytest.fixture
def one(sealed: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "one.age"
    path.write_bytes(sealed)
    return path


@pytest.fixture
def open_(identity_file: Path, tmp_path: Path) -> Open:
    def run(*arguments: object) -> int:
        options = ["--identity", str(identity_file), "-o", str(tmp_path / "out")]
        return main(["open", *map(str, arguments), *options])

    return run


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))  # none where there is no folder


def test_an_object_becomes_private_files(
    open_: Open, one: Path, sealed: bytes, identity: X25519Identity, tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        assert open_(one) == 0
    finally:
        os.umask(before)
    opened, out = unseal(sealed, [identity]), tmp_path / "out"
    assert _names(out) == ["one.jpg", "one.json", "one.mkv"]
    assert (out / "one.jpg").read_bytes() == opened.picture
    assert (out / "one.json").read_bytes() == opened.metadata_json
    with av.open(str(out / "one.mkv")) as clip:
        packets = [packet for packet in clip.demux(video=0) if packet.size]
    assert b"".join(map(bytes, packets)) == opened.clip  # the frames that were sealed, untouched
    assert [float(packet.pts * packet.time_base) for packet in packets] == [0, 0.04]
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}


def test_a_vault_its_day_and_its_objects(
    open_: Open, shot: Shot, origin: Origin, identity: X25519Identity, tmp_path: Path, capsys
) -> None:
    with Vault(tmp_path / "vault") as store:
        for track in range(3):
            numbered = dataclasses.replace(shot, track=track, clip=())
            last = store.store(seal(numbered, [identity.recipient], origin, picture="png"))
    everything = (tmp_path / "vault", (tmp_path / "vault" / last).parent, tmp_path / "vault" / last)
    assert open_(*everything, "--json") == 0
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert shown.err == "3 of 3 opened\n"
    assert answer["failed"] == []
    assert sorted(entry["track"] for entry in answer["opened"]) == [0, 1, 2]
    for entry in answer["opened"]:
        picture, metadata = entry["files"]
        assert Path(entry["object"]).name.removesuffix(".age") + ".png" == Path(picture).name
        assert json.loads(Path(metadata).read_text())["track"] == entry["track"]
    assert len(_names(tmp_path / "out")) == 6


def test_the_table_says_who_and_when(open_: Open, one: Path, shot: Shot, capsys) -> None:
    assert open_(one) == 0
    assert shot.utc in (out := capsys.readouterr().out)
    assert "one.jpg" in out
    assert "91.5" in out


def _flip(sealed: bytes) -> bytes:
    return sealed[:-1] + bytes([sealed[-1] ^ 1])


BAD_OBJECTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "tampered": (_flip, "altered or cut short"),
    "header tampered": (
        lambda sealed: sealed.replace(b"--- ", b"-> x\n\n--- ", 1),
        "header was alt",
    ),
    "truncated": (lambda sealed: sealed[:-100], "altered or cut short"),
    "truncated in its header": (lambda sealed: sealed[:50], "malformed"),
    "truncated in its first line": (lambda sealed: sealed[:10], "cut short"),
    "empty": (lambda sealed: b"", "not an age file"),
    "a picture": (lambda sealed: b"\xff\xd8\xff" * 10_000, "not an age file"),
    "armored": (lambda sealed: b"-----BEGIN AGE ENCRYPTED FILE-----\n", "armored"),
    "for somebody else": (
        lambda sealed: age.encrypt(b"", [X25519Identity.generate().recipient]),
        "not sealed to the identity",
    ),
}


@pytest.mark.parametrize(("damage", "fact"), BAD_OBJECTS.values(), ids=BAD_OBJECTS.keys())
def test_what_cannot_be_opened_is_told_and_the_rest_is_opened(
    damage: Callable[[bytes], bytes], fact: str, open_: Open, one: Path, tmp_path: Path, capsys
) -> None:
    bad = tmp_path / "bad.age"
    bad.write_bytes(damage(one.read_bytes()))
    assert open_(bad, one) == 2
    error, hint, percentile, count = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {bad}: ")
    assert fact in error
    assert hint.startswith("hint: ")
    assert percentile == PERCENTILE
    assert count == "1 of 2 opened"
    assert _names(tmp_path / "out") == ["one.jpg", "one.json", "one.mkv"]


def test_one_sentence_tells_what_cannot_be_opened_for_one_reason(
    open_: Open, one: Path, tmp_path: Path, capsys
) -> None:
    bad = [tmp_path / f"bad{i}.age" for i in range(5)]
    for path in bad:
        path.write_bytes(b"not sealed")
    assert open_(*bad, one) == 2
    errors = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith(f"error: {bad[0]} and 4 others: ")


def test_a_clip_that_is_none_is_refused(
    open_: Open, shot: Shot, origin: Origin, identity: X25519Identity, tmp_path: Path, capsys
) -> None:
    bad = tmp_path / "bad.age"
    odd = dataclasses.replace(shot, clip=((3.48, b"no picture"),))
    bad.write_bytes(seal(odd, [identity.recipient], origin))
    assert open_(bad) == 2
    assert "its clip does not begin with a JPEG picture" in capsys.readouterr().err
    assert _names(tmp_path / "out") == []


def test_a_sheet_shows_all_and_names_no_place_outside(
    open_: Open, one: Path, shot: Shot, origin: Origin, identity: X25519Identity, tmp_path: Path,
    capsys,
) -> None:  # fmt: skip
    odd = tmp_path / "a&b #2.age"
    hostile = dataclasses.replace(origin, source="<script>alert(1)</script>")
    why = "highest score of 2 frames; counted beside the quality: <b>; told: sharpness 71"
    told = dataclasses.replace(shot, reason=why)
    odd.write_bytes(seal(told, [identity.recipient], hostile))
    assert open_(one, odd, "--sheet") == 0
    sheet = tmp_path / "out" / "sheet.html"
    page = sheet.read_text()
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert page.count("<figure>") == 2
    assert "<script" not in page
    assert "<br>counted beside the quality: &lt;b&gt;<br>told: sharpness 71<br>" in page
    linked = {unquote(unescape(x)) for x in re.findall(r'(?:href|src)="([^"]*)"', page)}
    assert linked == {f"./{name}" for name in _names(sheet.parent) if name != sheet.name}
    capsys.readouterr()
    assert open_(one, "--sheet") == 2
    assert f"{sheet} exists" in capsys.readouterr().err
    assert open_(one, "--sheet", "--force") == 0
    assert sheet.read_text().count("<figure>") == 1


def test_failures_are_told_to_machines(open_: Open, one: Path, tmp_path: Path, capsys) -> None:
    assert open_(tmp_path / "absent.age", one, "--json") == 2
    answer = json.loads(capsys.readouterr().out)
    assert [entry["object"] for entry in answer["opened"]] == [str(one)]
    (failure,) = answer["failed"]
    assert failure["object"] == str(tmp_path / "absent.age")
    assert failure["error"] == "cannot read it: No such file or directory"
    assert failure["hint"]


@pytest.mark.parametrize("there", ["one.jpg", "one.json", "one.mkv"])
def test_files_are_overwritten_only_when_told(
    there: str, open_: Open, one: Path, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / there).write_text("precious")
    assert open_(one) == 2
    assert "--force" in capsys.readouterr().err
    assert {path.name: path.read_text() for path in out.iterdir()} == {there: "precious"}
    assert open_(one, "--force") == 0
    assert _names(out) == ["one.jpg", "one.json", "one.mkv"]
    assert (out / there).read_bytes() != b"precious"


def test_two_objects_of_one_name_do_not_overwrite_each_other(
    open_: Open, one: Path, shot: Shot, origin: Origin, identity: X25519Identity, tmp_path: Path
) -> None:
    other = tmp_path / "copies" / "one.age"
    other.parent.mkdir()
    other.write_bytes(seal(dataclasses.replace(shot, track=4), [identity.recipient], origin))
    assert open_(one, other, "--force") == 2
    assert json.loads((tmp_path / "out" / "one.json").read_text())["track"] == shot.track


def test_identity_from_standard_input(
    one: Path, identity: X25519Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = io.TextIOWrapper(io.BytesIO(identity.secret_text().encode()))
    monkeypatch.setattr(sys, "stdin", secret)
    assert main(["open", str(one), "--identity", "-", "-o", str(tmp_path / "out")]) == 0


def test_one_of_several_identities_fits(open_: Open, one: Path, tmp_path: Path) -> None:
    write_identity(tmp_path / "other.key", X25519Identity.generate())
    assert open_(one, "--identity", tmp_path / "other.key") == 0


def test_a_wrong_identity_file_opens_nothing(one: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "key").write_text("AGE-SECRET-KEY-1QQQQ")
    argv = ["open", str(one), "--identity", str(tmp_path / "key"), "-o", str(tmp_path / "out")]
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert "line 1: the identity is malformed" in error
    assert "QQQQ" not in error
    assert not (tmp_path / "out").exists()


def test_where_nothing_opens_no_folder_is_left(one: Path, tmp_path: Path, open_: Open) -> None:
    argv = ["open", str(one), "--identity", str(tmp_path / "other"), "-o", str(tmp_path / "out")]
    write_identity(tmp_path / "other", X25519Identity.generate())
    assert main([*argv, "--sheet"]) == 2
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    assert main(argv) == 2
    assert (tmp_path / "out").exists()  # it was there before


def test_an_empty_folder_is_no_vault(open_: Open, tmp_path: Path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    assert open_(tmp_path / "empty") == 2
    assert "no sealed object" in capsys.readouterr().err


def test_a_file_where_the_folder_is_to_be(open_: Open, one: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "out").write_text("a file")
    assert open_(one) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert "out cannot be made: File exists" in error
    assert hint == "hint: name another with -o"
    assert (tmp_path / "out").read_text() == "a file"


def test_a_full_disk_leaves_no_part_of_a_shot(
    open_: Open, one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    real = open_command.write_atomic

    def full(path: Path, data: bytes, *, mode: int) -> None:
        if path.suffix == ".json":
            raise OSError(28, "No space left on device")
        real(path, data, mode=mode)

    monkeypatch.setattr(open_command, "write_atomic", full)
    assert open_(one) == 1
    assert "No space left" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_a_file_larger_than_any_shot_is_not_read(
    open_: Open, one: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(objects, "OBJECT_LIMIT", 1000)
    assert open_(one) == 2
    assert "larger than any sealed shot" in capsys.readouterr().err


def test_usage_errors(capsys) -> None:
    assert main(["open", "x.age", "-o", "out"]) == 2
    assert "--identity" in capsys.readouterr().err
