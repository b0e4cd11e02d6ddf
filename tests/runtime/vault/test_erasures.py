"""Erasing single shots before their time: by order of a quorum, logged, and told from theft."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sealshot.runtime.cli.main import main
from sealshot.runtime.seal.entries import Barred, Purged, Uploaded
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.seal.warrant import read_warrant
from sealshot.runtime.types import Shot
from sealshot.runtime.vault.clock import CLOCK
from sealshot.runtime.vault.erasures import FOLDER, place_erasure
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.logged import read_logged
from sealshot.runtime.vault.record import ERASED, LOG
from sealshot.runtime.vault.store import list_objects
from sealshot.runtime.vault.verify import Rules, check_objects, compare_copy

D, H = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def vault(tmp_path: Path, parties, shot: Shot, origin) -> Path:
    with Keeper(tmp_path / "vault", parties.sealing()) as keeper:
        for _ in range(3):
            keeper.put(replace(shot, utc=format_time(utc_now())), origin)
    return tmp_path / "vault"


def there(vault: Path) -> list[str]:
    return sorted(found.id for found in list_objects(vault))


def write(parties, file: Path, *shots: str, purpose: str = "erase", sign: int = 2, more=()) -> str:
    """Have a warrant written and signed by so many; return its file."""
    policy = str(parties.policy)
    new = ["warrant", "new", "--case", "2026-17", "--camera", str(parties.camera_pub)]
    new += ["--from", format_time(utc_now() - H), "--to", format_time(utc_now() + H)]
    new += ["--purpose", purpose, "--policy", policy, "-o", str(file), *more]
    assert main([*new, *(word for shot in shots for word in ("--shot", shot))]) == 0
    for name in ("judge", "police")[:sign]:
        key = str(parties.key(name))
        assert main(["warrant", "sign", str(file), "--policy", policy, "--key", key]) == 0
    return str(file)


def erase(parties, vault: Path, warrant: str, policy: Path | None = None) -> int:
    under = str(policy or parties.camera_policy)
    return main(["vault", "erase", str(vault), "--warrant", warrant, "--policy", under])


def verify(parties, vault: Path) -> int:
    return main(["vault", "verify", str(vault), "--policy", str(parties.camera_policy)])


def test_one_shot_is_erased_and_the_log_says_by_which_order(
    vault: Path, parties, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *others = there(vault)
    warrant = write(parties, tmp_path / "w.json", first)
    capsys.readouterr()
    assert erase(parties, vault, warrant) == 0
    assert "1 shot erased for case 2026-17" in capsys.readouterr().err
    assert there(vault) == others
    [gone] = [one for one in entries_of(lines_in(vault / LOG)) if isinstance(one, Purged)]
    assert (gone.id, gone.reason) == (first, ERASED)
    assert [path.stem for path in (vault / FOLDER).iterdir()] == [gone.warrant]
    assert verify(parties, vault) == 0
    capsys.readouterr()
    ask = ["report", str(vault / LOG), "--policy", str(parties.policy)]
    assert main([*ask, "--camera", str(parties.camera_pub), "--json"]) == 0
    camera = json.loads(capsys.readouterr().out)["cameras"]["cam1"]
    assert (camera["purged"], camera["there"]) == ({ERASED: 1}, 2)
    assert erase(parties, vault, warrant) == 0  # once more changes nothing
    assert "0 shots erased" in capsys.readouterr().err
    assert there(vault) == others


@pytest.mark.parametrize("sign", [0, 1])
def test_no_quorum_no_erasure(sign: int, vault: Path, parties, tmp_path: Path, capsys) -> None:
    before = there(vault)
    warrant = write(parties, tmp_path / "w.json", before[0], sign=sign)
    assert erase(parties, vault, warrant) == 2
    assert f"signed by {sign} of the 2 authorities" in capsys.readouterr().err
    assert there(vault) == before
    assert not (vault / FOLDER).exists()


def test_what_is_on_hold_stays_until_that_ends(
    vault: Path, parties, tmp_path: Path, capsys, steady_clock, reports: list[str]
) -> None:
    recipient = parties.investigator.read_text().partition("public key: ")[2].split()[0]
    until = ["--until", format_time(utc_now() + 5 * D), "--investigator", recipient]
    hold = write(parties, tmp_path / "hold.json", purpose="hold", more=until)
    at = ["--warrant", hold, "--policy", str(parties.policy)]
    assert main(["vault", "hold", str(vault), *at]) == 0
    first, *others = there(vault)
    capsys.readouterr()
    assert erase(parties, vault, write(parties, tmp_path / "w.json", first)) == 1
    assert f"{first} stays: it is on hold for case 2026-17" in capsys.readouterr().err
    assert there(vault) == [first, *others]
    (vault / CLOCK).unlink()
    Keeper(vault, parties.sealing(), steady_clock(utc_now() + 6 * D)).close()
    assert there(vault) == others


@pytest.mark.parametrize("policy", ["of the camera", "of the authorities"])
def test_the_camera_does_it_where_another_asks(
    policy: str, vault: Path, parties, tmp_path: Path, capsys
) -> None:
    first, *others = there(vault)
    warrant = write(parties, tmp_path / "w.json", first)
    capsys.readouterr()
    if policy == "of the camera":
        with Keeper(vault, parties.sealing()):
            assert erase(parties, vault, warrant) == 1
            assert "a run has the vault" in capsys.readouterr().err
    else:
        assert erase(parties, vault, warrant, parties.policy) == 1
        assert "the camera erases them" in capsys.readouterr().err
    assert there(vault) == [first, *others]
    Keeper(vault, parties.sealing()).close()
    assert there(vault) == others
    assert verify(parties, vault) == 0


@pytest.mark.parametrize("order", ["none", "of another shot", "unsigned"])
def test_a_deletion_that_nobody_ordered_is_named(
    order: str, vault: Path, parties, tmp_path: Path, capsys
) -> None:
    """By whoever has the camera's key, and says in its log that it was an erasure."""
    first, second, _ = there(vault)
    digest = ""
    if order == "of another shot":
        assert erase(parties, vault, write(parties, tmp_path / "w.json", second)) == 0
        [digest] = [path.stem for path in (vault / FOLDER).iterdir()]
    elif order == "unsigned":
        warrant = Path(write(parties, tmp_path / "w.json", first, sign=0))
        digest = "0" * 64
        (vault / FOLDER).mkdir()
        (vault / FOLDER / f"{digest}.json").write_bytes(warrant.read_bytes())
    camera = parties.sealing().camera
    with Log(vault / LOG, camera.name, camera.key) as log:
        log.append(Purged(log.latest, first, ERASED, warrant=digest))
    (vault / first).unlink()
    capsys.readouterr()
    assert verify(parties, vault) == 1
    out = capsys.readouterr().out
    assert "no order to erase it" in " ".join(out.split())
    assert "wrong: 1 of 3 objects" in out


def test_what_is_no_order_is_told_and_stops_nothing(
    vault: Path, parties, tmp_path: Path, reports: list[str]
) -> None:
    first, *others = there(vault)
    (vault / FOLDER).mkdir()
    (vault / FOLDER / "x.json").write_bytes(b"{}")
    (vault / FOLDER / "y.json").mkdir()
    unsigned = Path(write(parties, tmp_path / "u.json", others[0], sign=1))
    (vault / FOLDER / "z.json").write_bytes(unsigned.read_bytes())
    assert erase(parties, vault, write(parties, tmp_path / "w.json", first)) == 0
    assert there(vault) == others
    told = next(text for text in reports if FOLDER in text)
    assert all(f"{FOLDER}/{name}.json: " in told for name in "xyz")


def test_a_copy_that_still_has_it_is_named(vault: Path, parties, tmp_path: Path, capsys) -> None:
    first, second, _ = there(vault)
    copy = {object_id: (vault / object_id).read_bytes() for object_id in there(vault)}
    camera = parties.sealing().camera
    with Log(vault / LOG, camera.name, camera.key) as log:
        log.append(*(Uploaded(log.latest, one) for one in copy))
    objects = list_objects(vault)
    capsys.readouterr()
    assert erase(parties, vault, write(parties, tmp_path / "w.json", first)) == 0
    assert f"{first} was uploaded: delete it there, too" in capsys.readouterr().err
    rules = Rules(cameras=[read_party(parties.camera_pub, "camera")])
    logged = read_logged(vault / LOG, rules.cameras)
    checked = check_objects(objects, copy.__getitem__, rules)
    states = {one.id: one.state for one in compare_copy(checked, logged, rules) if one.is_wrong}
    assert states == {first: "not deleted"}
    left = [found for found in objects if found.id != first]
    findings = compare_copy(check_objects(left, copy.__getitem__, rules), logged, rules)
    assert {one.what for one in findings if one.id == first} == {"it was erased"}
    assert not any(one.is_wrong for one in findings)
    assert second in {one.id for one in findings}


@pytest.fixture
def copies(tmp_path: Path, fresh_parties, shot: Shot, origin) -> list[str]:
    """Sealed shots of parties of this test alone, wherever they lie."""
    with Keeper(tmp_path / "copies", fresh_parties.sealing()) as keeper:
        now = replace(shot, utc=format_time(utc_now()))
        return [str(tmp_path / "copies" / keeper.put(now, origin)) for _ in range(2)]


@pytest.mark.parametrize("held", [False, True])
def test_a_custodian_answers_no_more_for_any_copy(
    held: bool, copies: list[str], fresh_parties, tmp_path: Path, capsys
) -> None:
    parties, keys = fresh_parties, ["--keys", str(fresh_parties.custodian)]
    recipient = parties.investigator.read_text().partition("public key: ")[2].split()[0]
    reader = ["--investigator", recipient]
    under = ["--policy", str(parties.policy), "--warrant"]
    if held:
        until = ["--until", format_time(utc_now() + 5 * D)]
        hold = write(parties, tmp_path / "hold.json", purpose="hold", more=[*reader, *until])
        asked = str(tmp_path / "hold.zip")
        assert main(["open", *copies, *under, hold, "--request", asked]) == 0
        assert main(["custodian", "hold", asked, *under, hold, *keys]) == 0
    order = write(parties, tmp_path / "w.json", copies[0])
    for _ in range(2):  # the second changes nothing
        assert main(["custodian", "erase", keys[1], *under, order]) == 0
    entries = list(entries_of(lines_in(parties.custodian / "log")))
    barred = [one.id for one in entries if isinstance(one, Barred)]
    assert barred == [Path(copies[0]).stem]
    warrant = write(parties, tmp_path / "open.json", purpose="open", more=reader)
    asked, answer = str(tmp_path / "r.zip"), str(tmp_path / "a.answer")
    assert main(["open", *copies, *under, warrant, "--request", asked]) == 0
    capsys.readouterr()
    code = main(["custodian", "answer", asked, *under, warrant, *keys, "-o", answer])
    told = capsys.readouterr().err
    assert (code, "refused (erased)" in told) == ((0, False) if held else (2, True))
    assert f"{2 if held else 1} of 2 answered" in told


def test_an_order_that_a_crash_left_out_of_the_log_is_logged_the_next_time(
    fresh_parties, copies: list[str], tmp_path: Path
) -> None:
    parties, order = fresh_parties, write(fresh_parties, tmp_path / "w.json", *copies)
    place_erasure(parties.custodian, read_warrant(Path(order)), read_policy(parties.policy))
    under = ["--policy", str(parties.policy), "--warrant", order]
    for _ in range(2):
        assert main(["custodian", "erase", str(parties.custodian), *under]) == 0
    entries = entries_of(lines_in(parties.custodian / "log"))
    barred = sorted(one.id for one in entries if isinstance(one, Barred))
    assert barred == sorted(Path(copy).stem for copy in copies)


def test_a_custodian_takes_no_order_that_is_none(
    fresh_parties, copies: list[str], tmp_path: Path, capsys
) -> None:
    unsigned = write(fresh_parties, tmp_path / "w.json", copies[0], sign=1)
    under = ["--policy", str(fresh_parties.policy), "--warrant", unsigned]
    capsys.readouterr()
    assert main(["custodian", "erase", str(fresh_parties.custodian), *under]) == 2
    assert "signed by 1 of the 2 authorities" in capsys.readouterr().err
    assert not (fresh_parties.custodian / FOLDER).exists()


WRONG = {
    "no shot": (("--purpose", "erase"), "a warrant to erase names its shots"),
    "too many": (
        ("--purpose", "erase", *(w for n in range(10_001) for w in ("--shot", f"{n:032x}"))),
        "names at most 10,000 shots",
    ),
    "a shot to open": (("--shot", "0" * 32, "--investigator", "R"), "another does not"),
    "no shot's name": (("--purpose", "erase", "--shot", "x"), "'x' is not the id of a shot"),
    "somebody to answer to": (
        ("--purpose", "erase", "--shot", "0" * 32, "--investigator", "R"),
        "one to erase, which has none, does not",
    ),
    "nobody to answer to": ((), "a warrant names who can read the answers"),
    "an end": (
        ("--purpose", "erase", "--shot", "0" * 32, "--until", "2030-01-01"),
        "a warrant to hold says until when",
    ),
}


@pytest.mark.parametrize(("words", "fact"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_go_together(words, fact: str, parties, tmp_path: Path, capsys) -> None:
    recipient = parties.investigator.read_text().partition("public key: ")[2].split()[0]
    new = ["warrant", "new", "--case", "1", "--camera", str(parties.camera_pub), "--from"]
    new += ["2026-11-21", "--to", "2026-11-22", "--policy", str(parties.policy), "-o"]
    given = [recipient if word == "R" else word for word in words]
    capsys.readouterr()
    assert main([*new, str(tmp_path / "w.json"), *given]) == 2
    assert fact in capsys.readouterr().err
    assert not (tmp_path / "w.json").exists()


def test_an_order_to_erase_opens_and_holds_nothing(
    vault: Path, parties, tmp_path: Path, capsys
) -> None:
    warrant = write(parties, tmp_path / "w.json", *there(vault))
    under = ["--warrant", warrant, "--policy", str(parties.policy)]
    capsys.readouterr()
    request = str(tmp_path / "r.zip")
    assert main(["open", str(vault), *under, "--request", request]) == 2
    assert "the warrant is to erase shots, not to open them" in capsys.readouterr().err
    assert main(["vault", "hold", str(vault), *under]) == 2
    assert main(["warrant", "check", warrant, "--policy", str(parties.policy)]) == 0
    assert there(vault)[0][11:43] in capsys.readouterr().out
    assert len(there(vault)) == 3
