"""A custodian's keys outlive its machine by a second custodian's, and do not outlive their day."""

from __future__ import annotations

import os
import shutil
import threading
from datetime import timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from court import Commands

from sealshot.runtime.age import age
from sealshot.runtime.cli.commands.custodian_folder import HOLDS, LOG, SECRETS
from sealshot.runtime.cli.commands.parties import read_signing_key, single_identity
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.documents import Document
from sealshot.runtime.seal.entries import BackedUp, Restored
from sealshot.runtime.seal.epochs import destroy_file
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.times import format_time, parse_time, utc_now
from sealshot.runtime.seal.warrant import read_warrant

D, H = timedelta(days=1), timedelta(hours=1)


class World(Commands):
    """A custodian, and a second one that publishes keys for its backups."""

    @property
    def first(self) -> Path:
        return self.parties.custodian

    @property
    def second(self) -> Path:
        return self.folder / "second"

    @property
    def backup(self) -> Path:
        return self.folder / "backup"

    def rotate_second(self) -> int:
        to = ["--to", self.folder / "published", "--ahead", "2d", "--second"]
        return self.run("custodian", "rotate", self.second, *self.policy, *to)

    def back_up(self, published: str = "") -> int:
        source = published or self.folder / "published"
        by = ["--second", self.second / "second.pub", "--from", source]
        ask = ["custodian", "backup", self.first, *self.policy, *by]
        return self.run(*ask, "--to", self.backup)

    def restore(self, to: str = "third") -> int:
        if not (self.folder / to).exists():
            assert self.run("custodian", "new", self.folder / to) == 0
        ask = ["custodian", "restore", self.backup, *self.policy, "--keys", self.second]
        return self.run(*ask, "--to", self.folder / to)

    def key_of(self, name: str) -> str:
        folder = self.first if name == "custodian" else self.folder / name
        public = (folder / f"{name}.pub").read_text()
        return public.partition('verify_key = "')[2].partition('"')[0]

    def give_over(self, key: str, name: str) -> None:
        """Change the policy from the custodian of a key to another one."""
        shared, text = self.parties.policy.parent, self.parties.policy.read_text()
        changed = text.replace(key, self.key_of(name))
        (shared / "next.toml").write_text(changed.replace('name = "custodian"', f'name = "{name}"'))
        change = shared / "change.json"
        ask = ["policy", "change", shared / "next.toml", *self.policy, "-o", change]
        assert self.run(*ask) == 0
        for signer in ("judge", "police"):
            sign = ["policy", "sign", change, *self.policy, "--key", self.parties.key(signer)]
            assert self.run(*sign) == 0
        assert self.run("policy", "adopt", change, *self.policy) == 0

    def hold(self, until: timedelta) -> Path:
        """Put a shot on hold; return the folder of its case."""
        warrant = self.warrant(f"{until.days}.json", "judge", "police", until=until)
        under, request = ["--warrant", warrant, *self.policy], self.folder / "held.zip"
        assert self.run("open", self.vault, *under, "--request", request) == 0
        assert self.run("custodian", "hold", request, *under, "--keys", self.first) == 0
        return self.first / HOLDS / read_warrant(warrant).digest


@pytest.fixture
def world(fresh_parties, tmp_path: Path) -> World:
    made = World(fresh_parties, tmp_path)
    assert made.run("custodian", "new", made.second) == 0
    assert made.rotate_second() == 0
    return made


def secrets_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / SECRETS).iterdir()}


def test_what_was_sealed_opens_after_the_custodian_s_machine_is_gone(
    world: World, shot, origin, capsys: pytest.CaptureFixture[str]
) -> None:
    parties, folder, third = world.parties, world.folder, world.folder / "third"
    world.put(shot, origin)
    case = world.hold(60 * D)
    capsys.readouterr()
    assert world.back_up() == 0
    assert "4 of 4 keys backed up" in capsys.readouterr().err
    kept, held = secrets_of(world.first), {p.name: p.read_bytes() for p in case.iterdir()}
    signing = world.key_of("custodian")
    shutil.rmtree(world.first)
    assert world.restore() == 0
    assert "4 keys restored" in capsys.readouterr().err
    assert secrets_of(third) == kept
    assert {p.name: p.read_bytes() for p in (third / HOLDS / case.name).iterdir()} == held
    logged = [e for e in entries_of(lines_in(world.second / LOG)) if isinstance(e, Restored)]
    assert {entry.epoch for entry in logged} == {name[:10] for name in kept} | {""}
    assert world.restore() == 0  # once more changes nothing
    assert "0 keys restored" in capsys.readouterr().err

    world.give_over(signing, "third")
    to = ["--to", parties.policy.parent / "epochs"]
    rotate = ["custodian", "rotate", third, *world.policy, *to]
    assert world.run(*rotate, "--ahead", "2d") == 0
    assert secrets_of(third) == kept
    warrant, request = world.warrant("w.json", "judge", "police"), folder / "r.zip"
    opening = ["open", folder / "vault", "--warrant", warrant, *world.policy]
    assert world.run(*opening, "--request", request) == 0
    answers: list[object] = []
    for role, name, mine in (
        ("authority", "judge", ["--key", parties.key("judge")]),
        ("authority", "police", ["--key", parties.key("police")]),
        ("custodian", "third", ["--keys", third]),
    ):
        out = folder / f"{name}.answer"
        asked = [role, "answer", request, "--warrant", warrant, *world.policy, *mine, "-o", out]
        assert world.run(*asked) == 0
        answers += ["--answer", out]
    reader = ["--identity", parties.investigator, "-o", folder / "out"]
    assert world.run(*opening, *answers, *reader) == 0


def test_what_was_fetched_is_not_asked_for_again(world: World) -> None:
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(world.folder / "published"))

        def log_request(self, *_: object) -> None:
            asked.append(Path(self.path).stem)

        log_message = log_request

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert world.back_up(address) == 0
        there = {path.stem for path in (world.folder / "published").glob("*.json")}
        assert there < set(asked)
        assert len({epoch for epoch in asked if epoch > max(there)}) == 2
        asked.clear()
        assert world.back_up(address) == 0
        server.shutdown()
    assert not there & set(asked)


def test_a_backup_dies_on_its_day(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.back_up() == 0
    files = sorted(world.backup.iterdir())
    for file in files:  # each by the key of its own day, which dies as it does
        assert file.stem.partition("_")[0] == file.stem.partition("_")[2]
    with monkeypatch.context() as later:
        then = utc_now() + 40 * D
        later.setattr("sealshot.runtime.cli.commands.custodian_backup.utc_now", lambda: then)
        assert world.restore("late") == 2  # nobody has destroyed anything
    assert secrets_of(world.folder / "late") == {}
    today = files[0].stem.partition("_")[0]
    destroy_file(world.second / SECRETS / f"{today}.key")
    others = [single_identity(path) for path in (world.second / SECRETS).iterdir()]
    with pytest.raises(SealError):
        age.decrypt(files[0].read_bytes(), others)
    assert world.restore() == 0
    assert sorted(secrets_of(world.folder / "third")) == sorted(
        name for name in secrets_of(world.first) if name != f"{today}.key"
    )


def test_a_case_is_backed_up_to_what_dies_before_it_or_told(
    world: World, shot, origin, capsys: pytest.CaptureFixture[str]
) -> None:
    world.put(shot, origin)
    short, long = world.hold(5 * D), world.hold(60 * D)
    capsys.readouterr()
    assert world.back_up() == 2  # the second custodian is new: what it has lives for 30 days
    told = capsys.readouterr().err
    assert f"the key of the case of warrant {short.name} is not backed up" in told
    assert "4 of 5 keys backed up" in told
    [sealed] = (world.backup / HOLDS / long.name).glob("*_*.age")
    until, _, epoch = sealed.stem.partition("_")
    newest = max(path.stem for path in (world.folder / "published").glob("*.json"))
    assert (epoch, [f"{until}.key"]) == (newest, [p.name for p in long.glob("*.key")])
    assert parse_time(until) > utc_now() + 59 * D
    logged = [e for e in entries_of(lines_in(world.first / LOG)) if isinstance(e, BackedUp)]
    assert [e.warrant for e in logged if e.warrant] == [long.name]
    world.back_up()
    again = [e for e in entries_of(lines_in(world.first / LOG)) if isinstance(e, BackedUp)]
    assert again == logged


def test_what_is_gone_goes_and_what_cannot_be_made_anew_stays(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.back_up() == 0
    before = {path.name for path in world.backup.iterdir()}
    [today, tomorrow, *_] = sorted(path.stem for path in (world.first / SECRETS).iterdir())
    destroy_file(world.first / SECRETS / f"{today}.key")
    for path in (world.folder / "published").glob("*.json"):
        if path.stem <= tomorrow:
            path.unlink()  # lost by the web server
    capsys.readouterr()
    assert world.back_up() == 2
    assert f"the key of epoch {tomorrow} is not backed up" in capsys.readouterr().err
    assert {path.name for path in world.backup.iterdir()} == before - {f"{today}_{today}.age"}


def test_what_was_laid_into_a_backup_is_not_restored(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.back_up() == 0
    [file, other, *_] = sorted(world.backup.iterdir())
    good, today = file.read_bytes(), file.stem.partition("_")[0]
    identity = single_identity(world.second / SECRETS / f"{today}.key")
    body = {"epoch": today, "warrant": "", "until": format_time(utc_now() + 40 * D)}
    body["key"] = single_identity(world.second / SECRETS / f"{today}.key").secret_text() + "\n"
    document = Document("sealshot/key-backup/1", body)
    true = read_signing_key(world.first / "custodian.key")

    def seal(*keys: SigningKey, **changes: str) -> bytes:
        altered = Document(document.kind, body | changes)
        for key in keys:
            altered = altered.signed(key)
        return age.encrypt(altered.encode(), [identity.recipient])

    laid = {
        "not signed by a custodian": seal(SigningKey.generate()),
        "signed by a custodian of the policy": seal(),
        "of another key than its name says": seal(true, epoch="2026-01-01"),
        "holds no identity": seal(true, key="x" * 0),
        "is of another": other.read_bytes(),
        "cannot read": None,
    }
    for number, (why, data) in enumerate(laid.items()):
        file.unlink()
        if data is None:
            os.mkfifo(file)
        else:
            file.write_bytes(data)
        capsys.readouterr()
        assert world.restore(f"n{number}") == 2, why
        assert f"{today}.key" not in secrets_of(world.folder / f"n{number}"), why
        assert len(secrets_of(world.folder / f"n{number}")) == 2, why  # the others are
        assert "Traceback" not in capsys.readouterr().err
    file.unlink()
    file.write_bytes(good)
    assert world.restore("n0") == 0
    (world.folder / "n0" / SECRETS / f"{today}.key").write_text("another\n")
    assert world.restore("n0") == 2
    assert "another key than that of the backup" in capsys.readouterr().err


def test_a_second_custodian_is_none_of_the_policy(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    to = ["--to", world.folder / "x"]
    rotate = ["custodian", "rotate", world.first, *world.policy, *to, "--second"]
    by = ["--from", world.folder / "published", "--to", world.backup]
    own = ["--second", world.first / "custodian.pub"]
    second = ["--second", world.second / "second.pub", "--from", world.folder / "none"]
    backup = ["custodian", "backup", world.first, *world.policy]
    for why, ask in {
        "is of a party of the policy": rotate,
        "is not of the custodian of the policy": [*rotate[:2], world.second, *rotate[3:-1]],
        "is a party of the policy": [*backup, *own, *by],
        "has published no key that lives": [*backup, *second, "--to", world.backup],
    }.items():
        assert world.run(*ask) == 2
        assert why in capsys.readouterr().err
    assert not (world.folder / "x").exists()
    assert not world.backup.exists()
    assert not list((world.folder / "published").glob("policy*"))
    restore = ["custodian", "restore", world.backup, *world.policy, "--keys", world.second]
    assert world.run(*restore, "--to", world.second) == 2
    assert "is no new folder of a custodian" in capsys.readouterr().err
    assert world.restore() == 2
    assert f"{world.backup} is no folder" in capsys.readouterr().err


def test_a_backup_into_a_custodian_s_folder_is_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """There are cases beside its keys, which are none of the first custodian's."""
    case = world.second / HOLDS / ("0" * 64)
    case.mkdir()
    (case / "2027-03-01T00:00:00Z.key").write_text("of another case\n")
    by = ["--second", world.second / "second.pub", "--from", world.folder / "published"]
    for folder in (world.first, world.second):
        before = sorted(folder.rglob("*"))
        ask = ["custodian", "backup", world.first, *world.policy, *by]
        assert world.run(*ask, "--to", folder) == 2
        assert f"{folder} is the folder of a custodian" in capsys.readouterr().err
        assert sorted(folder.rglob("*")) == before


def test_a_damaged_key_keeps_no_other_from_its_backup(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.back_up() == 0
    before = {path.name for path in world.backup.iterdir()}
    [first, *_, last] = sorted((world.first / SECRETS).iterdir())
    good = (world.backup / f"{first.stem}_{first.stem}.age").read_bytes()
    for damage in (b"\xff\x00", b"no key\n"):
        first.write_bytes(damage)
        (world.backup / f"{last.stem}_{last.stem}.age").unlink()
        capsys.readouterr()
        assert world.back_up() == 2
        told = capsys.readouterr().err
        assert f"the key of epoch {first.stem} is not backed up: it is damaged" in told
        assert "2 of 3 keys backed up" in told
        assert {path.name for path in world.backup.iterdir()} == before
        assert (world.backup / f"{first.stem}_{first.stem}.age").read_bytes() == good


def test_what_a_server_puts_among_published_keys_stops_no_backup(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    [first, *others] = sorted((world.folder / "published").glob("*.json"))
    first.write_bytes(b"{}")
    assert world.back_up() == 2
    told = capsys.readouterr().err
    assert f"the key of epoch {first.stem} is not backed up" in told
    assert "2 of 3 keys backed up" in told
    for file in others:
        file.write_bytes(b"{}")
    assert world.back_up() == 2
    assert "does not have the form of a signed document" in capsys.readouterr().err


def test_what_a_killed_restore_left_dies_on_its_day(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run("custodian", "new", world.folder / "third") == 0
    third, case = world.folder / "third", world.folder / "third" / HOLDS / ("0" * 64)
    case.mkdir()
    [key, *_] = sorted((world.first / SECRETS).iterdir())
    left = [third / SECRETS / f"{key.name}.part", case / f"{format_time(utc_now() + D)}.key.part"]
    for path in left:
        path.write_bytes(key.read_bytes())
    rotate = ["custodian", "destroy", third, *world.policy, "--second"]
    assert world.run(*rotate) == 0
    assert all(path.exists() for path in left)  # it may be restored by now
    then = utc_now() + 40 * D
    monkeypatch.setattr("sealshot.runtime.vault.clock.utc_now", lambda: then)
    assert world.run(*rotate, "--clock-is-right") == 0
    assert "1 epoch key and 1 key of a case destroyed" in capsys.readouterr().err
    assert not any(path.exists() for path in left)


def test_folders_are_there_after_a_power_cut_and_others_read_no_case(
    world: World, shot, origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(shot, origin)
    case = world.hold(60 * D)
    durable: set[Path] = set()
    monkeypatch.setattr("sealshot.runtime.files.fsync_folder", durable.add)
    assert world.back_up() == 0
    assert {world.folder, world.backup, world.backup / HOLDS} <= durable
    assert world.restore() == 0
    assert world.folder / "third" / HOLDS in durable
    assert (world.folder / "third" / HOLDS / case.name).stat().st_mode & 0o777 == 0o700


def test_who_has_a_former_custodian_s_signing_key_lays_in_nothing_for_later(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was stolen, and a new custodian took its place: shots are sealed under that one's keys."""
    assert world.back_up() == 0
    again = world.folder / "again"
    assert world.run("custodian", "new", again) == 0
    world.give_over(world.key_of("custodian"), "again")
    capsys.readouterr()
    assert world.restore() == 2
    [today, *later] = sorted(path.name for path in (world.first / SECRETS).iterdir())
    assert f"{later[0][:10]}_{later[0][:10]}.age: it is not signed by" in capsys.readouterr().err
    assert sorted(secrets_of(world.folder / "third")) == [today]  # of before: nobody seals to it
    ask = ["custodian", "restore", world.backup, *world.policy, "--keys", world.second]
    assert world.run(*ask, "--to", again) == 0  # the one that took its place
    assert sorted(secrets_of(again)) == [today, *later]
