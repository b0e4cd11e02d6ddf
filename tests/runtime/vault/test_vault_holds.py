"""Legal holds on a vault: what a quorum wants kept outlasts its time and the quota."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sealshot.runtime.cli.main import main
from sealshot.runtime.seal.entries import HoldStands, Started
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.types import Shot
from sealshot.runtime.vault.clock import CLOCK
from sealshot.runtime.vault.keeper import Keeper, Sealing
from sealshot.runtime.vault.logged import read_logged
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.store import list_objects
from sealshot.runtime.vault.upload import Delivery

D, H = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def shot(shot: Shot) -> Shot:
    """One that is taken now."""
    return replace(shot, utc=format_time(utc_now()))


def after(shot: Shot, time: timedelta) -> Shot:
    """One that is taken later."""
    return replace(shot, utc=format_time(utc_now() + time))


def there(vault: Path) -> set[str]:
    return {found.id for found in list_objects(vault)}


def hold(parties, folder: Path, vault: Path, until: datetime, *, sign: int = 2) -> int:
    """Put what the camera sealed now on hold, through the command line."""
    warrant, policy = str(folder / "hold.json"), str(parties.policy)
    now = utc_now()
    new = ["warrant", "new", "--case", "2026-117", "--camera", str(parties.camera_pub)]
    new += ["--from", format_time(now - H), "--to", format_time(now + H), "--purpose", "hold"]
    new += ["--investigator", "age1" + _recipient(parties)[4:], "--policy", policy, "-o", warrant]
    new += ["--until", format_time(until)]
    assert main(new) == 0
    for name in ("judge", "police")[:sign]:
        key = str(parties.key(name))
        assert main(["warrant", "sign", warrant, "--policy", policy, "--key", key]) == 0
    place = ["vault", "hold", str(vault), "--warrant", warrant, "--policy", policy]
    return main(place)


def _recipient(parties) -> str:
    return parties.investigator.read_text().partition("public key: ")[2].split()[0]


@pytest.fixture
def kept(vault: Path, parties, shot, origin, reports: list[str], tmp_path: Path) -> str:
    """The one shot of the vault, on hold for ten days."""
    with Keeper(vault, parties.sealing()) as keeper:
        kept = keeper.put(shot, origin)
    assert hold(parties, tmp_path, vault, utc_now() + 10 * D) == 0
    return kept


def test_a_legal_hold_outlasts_retention_and_quota_until_it_ends(
    vault: Path, kept: str, parties, shot, origin, reports: list[str], steady_clock
) -> None:
    size = list_objects(vault)[0].bytes
    tight = replace(parties.sealing(), retention=1 * D, quota_bytes=int(1.5 * size))
    with Keeper(vault, tight, steady_clock(utc_now() + 3 * D)) as keeper:
        assert there(vault) == {kept}
        later = [keeper.put(after(shot, 3 * D), origin) for _ in range(3)]
        assert there(vault) == {kept, later[-1]}  # its hour is not in the warrant: no hold
    events = [line for line in (vault / LOG).read_text().splitlines() if '"hold-placed"' in line]
    assert len(events) == 1
    assert '"case":"2026-117"' in events[0]
    (vault / CLOCK).unlink()
    Keeper(vault, tight, steady_clock(utc_now() + 11 * D)).close()
    assert there(vault) == set()
    view = read_logged(vault / LOG, [read_party(parties.camera_pub, "camera")])
    assert view.purged[kept] == "retention"


def test_a_start_knows_the_holds_of_all_runs_by_the_log_of_the_last(
    vault: Path, kept: str, parties, reports: list[str]
) -> None:
    for _ in range(3):
        Keeper(vault, parties.sealing()).close()
    entries = list(entries_of(lines_in(vault / LOG)))
    assert [one.holds for one in entries if isinstance(one, Started)] == [0, 1, 1, 1]
    assert [one.case for one in entries if isinstance(one, HoldStands)] == ["2026-117"] * 3
    [hold_file] = (vault / ".holds").glob("*.json")
    hold_file.unlink()
    Keeper(vault, replace(parties.sealing(), retention=1 * D)).close()
    assert any("which the log has, is missing" in told for told in reports)
    assert there(vault) == {kept}


def test_a_privacy_officer_sees_the_holds_and_their_end(
    vault: Path, kept: str, parties, steady_clock, capsys
) -> None:
    def shown() -> list[dict[str, object]]:
        capsys.readouterr()
        assert main(["vault", "holds", str(vault), "--policy", str(parties.policy), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    [hold] = shown()
    assert (hold["case"], hold["state"], hold["shots"]) == ("2026-117", "in force", 1)
    Keeper(vault, parties.sealing()).close()  # logs it
    (vault / CLOCK).unlink()
    Keeper(vault, parties.sealing(), steady_clock(utc_now() + 11 * D)).close()
    (vault / ".holds" / f"{hold['warrant']}_{hold['until']}.json").unlink()
    [over] = shown()
    assert (over["case"], over["state"], over["shots"]) == ("2026-117", "over", None)
    assert (over["warrant"], over["until"]) == (hold["warrant"], hold["until"])


@pytest.mark.parametrize("damage", ["cut", "unsigned", "renamed", "other", "no time"])
def test_a_hold_that_cannot_be_verified_stops_deletion_and_is_told(
    vault: Path,
    kept: str,
    parties,
    shot,
    origin,
    reports: list[str],
    damage: str,
    steady_clock,
) -> None:
    [file] = (vault / ".holds").iterdir()
    data = file.read_bytes()
    if damage == "cut":
        file.write_bytes(data[:-40])
    elif damage == "unsigned":
        file.write_bytes(data.replace(b'"2026-117"', b'"2026-118"'))
    elif damage == "renamed":
        file.rename(file.with_name("0" * 64 + file.name[64:]))
    elif damage == "other":
        file.with_name("notes.txt").write_text("call the judge")
    else:
        file.rename(file.with_name(file.name[:64] + "_tomorrow.json"))
    short = replace(parties.sealing(), retention=1 * D)
    for _ in range(2):
        Keeper(vault, short, steady_clock(utc_now() + 3 * D)).close()
        assert there(vault) == {kept}
    assert sum("cannot be used" in report for report in reports) == 2


def test_a_hold_that_cannot_be_verified_stops_the_quota_and_deletion_after_upload_too(
    vault: Path, parties, shot, origin, reports: list[str], tmp_path: Path
) -> None:
    class Sink:
        def deliver(self, name: str, data: bytes) -> None:
            if not name.startswith("checkpoints/"):
                stored.add(name)

    stored: set[str] = set()
    with Keeper(vault, parties.sealing()) as keeper:
        kept = {keeper.put(shot, origin) for _ in range(2)}
    size = max(found.bytes for found in list_objects(vault))
    assert hold(parties, tmp_path, vault, utc_now() + 10 * D) == 0
    [file] = (vault / ".holds").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-40])
    sealing = replace(parties.sealing(), quota_bytes=3 * size)
    with Keeper(vault, sealing) as keeper:
        kept |= {keeper.put(shot, origin) for _ in range(4)}
        assert there(vault) == kept

    delivery = Delivery(Sink(), delete=True)
    with Keeper(vault, replace(parties.sealing(), delivery=delivery)) as keeper:
        sent = {keeper.put(shot, origin)}
    assert stored == sent
    assert there(vault) == kept | sent
    assert sum("cannot be used" in report for report in reports) == 2

    file.unlink()
    delivery = Delivery(Sink(), delete=True)
    Keeper(vault, replace(parties.sealing(), delivery=delivery)).close()
    assert there(vault) == kept  # what was put off is done once the hold is settled
    view = read_logged(vault / LOG, [read_party(parties.camera_pub, "camera")])
    assert view.purged == dict.fromkeys(sent, "uploaded")


def test_a_copy_without_a_log_keeps_its_holds_by_the_policy_alone(
    vault: Path, kept: str, parties, shot, origin, reports: list[str], steady_clock
) -> None:
    with Keeper(vault, parties.sealing(), steady_clock(utc_now() + 2 * H)) as keeper:
        keeper.put(after(shot, 2 * H), origin)  # its hour is not in the warrant
    (vault / LOG).unlink()
    later = steady_clock(utc_now() + 3 * D)
    blind = Sealing(retention=1 * D, clock_is_right=True)
    with Keeper(vault, blind, later):
        assert len(there(vault)) == 2  # a hold that cannot be verified: nothing is deleted
    assert any("give --policy" in said for said in reports)
    with Keeper(vault, replace(blind, policy=read_policy(parties.policy)), later):
        assert there(vault) == {kept}


def test_only_a_warrant_in_force_puts_on_hold(
    vault: Path, parties, shot, origin, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Keeper(vault, parties.sealing()) as keeper:
        keeper.put(shot, origin)
    assert hold(parties, tmp_path, vault, utc_now() + D, sign=1) == 2
    assert "signed by 1 of the 2" in capsys.readouterr().err
    (tmp_path / "hold.json").unlink()
    assert hold(parties, tmp_path, vault, utc_now() - D) == 2
    assert "in the past" in capsys.readouterr().err
    assert not list(vault.glob(".holds/*"))


def test_a_hold_that_the_log_has_is_not_lifted_by_deleting_its_file(
    vault: Path, kept: str, parties, reports: list[str], steady_clock
) -> None:
    Keeper(vault, parties.sealing()).close()  # logs the hold
    [file] = (vault / ".holds").iterdir()
    data = file.read_bytes()
    file.unlink()
    short = replace(parties.sealing(), retention=1 * D)
    Keeper(vault, short, steady_clock(utc_now() + 3 * D)).close()
    assert there(vault) == {kept}
    assert any("which the log has, is missing" in report for report in reports)
    file.write_bytes(data)
    (vault / CLOCK).unlink()
    Keeper(vault, short, steady_clock(utc_now() + 11 * D)).close()
    assert there(vault) == set()
    assert '"event":"hold-ended"' in (vault / LOG).read_text()


def test_the_end_of_a_hold_is_what_the_authorities_signed(
    vault: Path, kept: str, parties, reports: list[str], steady_clock
) -> None:
    [file] = (vault / ".holds").iterdir()
    file.rename(file.with_name(f"{file.name[:64]}_{format_time(utc_now() + D)}.json"))
    short = replace(parties.sealing(), retention=1 * D)
    Keeper(vault, short, steady_clock(utc_now() + 3 * D)).close()
    assert there(vault) == {kept}
    assert any("another end than was signed" in report for report in reports)
