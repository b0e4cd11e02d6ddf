"""`sealshot vault purge` and `hold`, and the hold that a custodian keeps the key of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from sealshot.runtime.cli.commands import authority, vault_purge
from sealshot.runtime.cli.main import main
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.vault import clock
from sealshot.runtime.vault.clock import CLOCK
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.logged import read_logged
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.store import Vault, list_objects

D, H = timedelta(days=1), timedelta(hours=1)
Travel = Callable[[timedelta], None]


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Travel:
    """Let time pass with the machine off: another clock, another boot."""

    def to(by: timedelta) -> None:
        monkeypatch.setattr(clock, "utc_now", lambda: utc_now() + by)
        for command in (authority, vault_purge):
            monkeypatch.setattr(command, "utc_now", lambda: utc_now() + by)
        monkeypatch.setattr(clock.SystemClock, "boot_id", lambda _: f"boot {by}")
        monkeypatch.setattr(clock.SystemClock, "since_boot_s", lambda _: 60.0)

    return to


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Shots of recipients, of every tenth day of the last hundred."""
    with Vault(tmp_path / "archive") as store:
        for days in range(0, 100, 10):
            day = f"{utc_now() - days * D:%Y-%m-%d}"
            store.store(b"x" * 10, name=f"{day}/{days:032x}.age")
    return tmp_path / "archive"


def there(vault: Path) -> set[str]:
    return {found.id for found in list_objects(vault)}


def test_by_retention_with_a_dry_run_first(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = there(archive)
    purge = ["vault", "purge", str(archive), "--retention", "30d"]
    assert main([*purge, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert there(archive) == before
    assert not (archive / CLOCK).exists()
    assert plan["dry_run"]
    assert plan["on_hold"] == []
    assert len(plan["purged"]) == 6
    now = utc_now()
    for one in plan["purged"]:
        end = datetime.strptime(one["id"][:10], "%Y-%m-%d").replace(tzinfo=timezone.utc) + 31 * D
        assert one["over_since"] == format_time(end) <= format_time(now)
        assert one["reason"] == "retention"
    assert main([*purge, "--dry-run"]) == 0
    assert "6 shots would be deleted, 60 bytes" in capsys.readouterr().out
    assert main(purge) == 0
    out = capsys.readouterr().out
    assert "6 shots deleted, 60 bytes" in out
    gone = {one["id"] for one in plan["purged"]}
    assert all(name[:10] in out for name in gone)
    assert there(archive) == before - gone
    assert not [path for path in archive.iterdir() if path.name in {name[:10] for name in gone}]
    assert main(purge) == 0
    assert "0 shots deleted" in capsys.readouterr().out


def test_of_a_camera_it_is_logged(
    tmp_path: Path, parties, shot, origin, travel: Travel, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = tmp_path / "vault"
    with Keeper(vault, parties.sealing()) as keeper:
        names = {keeper.put(shot, origin) for _ in range(3)}
    assert main(["vault", "purge", str(vault), "--retention", "1d"]) == 2
    assert "has a log" in capsys.readouterr().err
    assert main(["vault", "purge", str(vault), "--policy", str(parties.policy)]) == 2
    assert "enrolled camera" in capsys.readouterr().err
    purge = ["vault", "purge", str(vault), "--policy", str(parties.camera_policy)]
    travel(40 * D)
    assert main(purge) == 1  # a machine that was off for 40 days: is its clock right?
    shown = capsys.readouterr()
    assert "--clock-is-right" in shown.err
    assert "0 shots deleted" in shown.out
    assert there(vault) == names
    assert main([*purge, "--clock-is-right", "--dry-run"]) == 0
    assert there(vault) == names
    assert main([*purge, "--clock-is-right"]) == 0
    assert there(vault) == set()
    view = read_logged(vault / LOG, [read_party(parties.camera_pub, "camera")])
    assert view.purged == dict.fromkeys(names, "retention")
    verify = ["vault", "verify", str(vault), "--policy", str(parties.camera_policy), "--json"]
    capsys.readouterr()
    assert main(verify) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"purged": 3}


def test_not_while_a_run_holds_the_log(
    tmp_path: Path, parties, shot, origin, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = tmp_path / "vault"
    with Keeper(vault, parties.sealing()) as keeper:
        keeper.put(shot, origin)
        purge = ["vault", "purge", str(vault), "--policy", str(parties.camera_policy)]
        assert main(purge) == 1
        assert "another process writes to the log" in capsys.readouterr().err
        assert main([*purge, "--dry-run"]) == 0


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        ((), "one of --policy and --retention"),
        (("--policy", "p.toml", "--retention", "1d"), "one of --policy and --retention"),
        (("--retention", "soon"), "not a duration"),
        (("--policy", "absent.toml"), "absent.toml"),
    ],
)
def test_bad_options_are_told_in_two_lines(
    archive: Path, options: tuple[str, ...], fact: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = there(archive)
    assert main(["vault", "purge", str(archive), *options]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert fact in error
    assert hint.startswith("hint: ")
    assert there(archive) == before


def test_no_vault_is_made_by_purging_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vault", "purge", str(tmp_path / "absent"), "--retention", "1d"]) == 2
    assert "cannot read the vault" in capsys.readouterr().err
    assert not (tmp_path / "absent").exists()


def test_a_legal_hold_keeps_shot_and_key_until_its_end(
    tmp_path: Path, fresh_parties, shot, origin, travel: Travel, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seal, hold, let the day's key die, open, let the hold end: then nobody opens it."""
    parties, vault, now = fresh_parties, tmp_path / "vault", utc_now()
    with Keeper(vault, parties.sealing()) as keeper:
        kept = keeper.put(replace(shot, utc=format_time(now)), origin)
    policy = ["--policy", str(parties.policy)]
    recipient = parties.investigator.read_text().partition("public key: ")[2].split()[0]

    until = ["--until", format_time(now + 60 * D)]

    def warrant(purpose: str, name: str) -> Path:
        path = tmp_path / name
        new = ["warrant", "new", "--case", "2026-117", "--camera", str(parties.camera_pub)]
        new += ["--from", format_time(now - H), "--to", format_time(now + H), *policy]
        new += ["--investigator", recipient, "--purpose", purpose, "-o", str(path)]
        assert main(new + (until if purpose == "hold" else [])) == 0
        for signer in ("judge", "police"):
            key = str(parties.key(signer))
            assert main(["warrant", "sign", str(path), *policy, "--key", key]) == 0
        return path

    def opens(name: str, *hold: str) -> bool:
        """Whether quorum and custodian can still open it."""
        path = warrant("open", f"{name}.json")
        under = ["--warrant", str(path), *policy]
        request = str(tmp_path / f"{name}.zip")
        assert main(["open", str(vault), *under, "--request", request]) == 0
        last = ["open", str(vault), *under, "--identity", str(parties.investigator)]
        last += ["-o", str(tmp_path / name)]
        codes = []
        for signer in ("judge", "police"):
            answer = str(tmp_path / f"{name}-{signer}.answer")
            key = str(parties.key(signer))
            ask = ["authority", "answer", request, *under, "--key", key, "-o", answer]
            codes.append(main([*ask, *hold]))
            last += ["--answer", answer]
        answer = str(tmp_path / f"{name}-custodian.answer")
        ask = ["custodian", "answer", request, *under, "--keys", str(parties.custodian)]
        codes.append(main([*ask, "-o", answer]))
        if codes != [0, 0, 0]:
            assert codes == [2, 2, 2]
            return False
        assert main([*last, "--answer", answer]) == 0
        return len(list((tmp_path / name).glob("*.jpg"))) == 1

    assert opens("before")
    held = warrant("hold", "hold.json")
    request = str(tmp_path / "hold.zip")
    under = ["--warrant", str(held), *policy]
    assert main(["open", str(vault), *under, "--request", request]) == 0
    assert (
        main(["custodian", "hold", request, *under, "--keys", str(parties.custodian), *until]) == 0
    )
    later = ["--until", format_time(now + 61 * D)]
    assert main(["vault", "hold", str(vault), *under, *later]) == 2  # nobody signed that
    assert main(["vault", "hold", str(vault), *under]) == 0

    destroy = ["custodian", "destroy", str(parties.custodian), *policy]
    purge = ["vault", "purge", str(vault), "--policy", str(parties.camera_policy)]
    travel(40 * D)
    assert main(destroy) == 0
    assert list((parties.custodian / "epochs").glob("*.key"))  # the jump is told, and not followed
    assert main([*destroy, "--clock-is-right"]) == 0
    assert not list((parties.custodian / "epochs").glob(f"{kept[:10]}.key"))
    capsys.readouterr()
    assert main([*purge, "--clock-is-right", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["purged"], [one["id"] for one in told["on_hold"]]) == ([], [kept])
    assert there(vault) == {kept}
    assert opens("held", "--hold", str(held))

    travel(61 * D)
    assert main([*destroy, "--clock-is-right"]) == 0
    assert not opens("after", "--hold", str(held))
    assert main([*purge, "--clock-is-right"]) == 0
    assert there(vault) == set()
    assert '"event":"hold-placed"' in (vault / LOG).read_text()
