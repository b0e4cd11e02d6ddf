"""`sealshot authority rewrap`: held shots open under the quorum of today, whoever left."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from court import Commands

from sealshot.runtime.seal.archive import read_zip
from sealshot.runtime.seal.entries import Refused, Rewrapped
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.seal.times import format_time, utc_now

D, H = timedelta(days=1), timedelta(hours=1)


class World(Commands):
    """A vault with a shot on hold, and a policy whose police left for the court since."""

    def request(self, warrant: Path, name: str, *options: object) -> Path:
        out = self.folder / name
        ask = ["open", self.vault, "--warrant", warrant, *self.policy, *options]
        assert self.run(*ask, "--request", out) == 0
        return out

    def rewrap(self, name: str, request: Path, hold: Path, *options: object) -> int:
        give = ["authority", "rewrap", request, "--hold", hold, *self.policy, *options]
        out = self.folder / f"{name}.rewrap"
        return self.run(*give, "--key", self.parties.key(name), "-o", out)

    def answers(self, request: Path, warrant: Path, *names: str) -> list[object]:
        given: list[object] = []
        for name in (*names, "custodian"):
            out = self.folder / f"{name}.answer"
            ask = ["answer", request, "--warrant", warrant, *self.policy, "-o", out]
            if name == "custodian":
                assert self.run("custodian", *ask, "--keys", self.parties.custodian) == 0
            else:
                own = ["--key", self.parties.key(name), "--rewrap", self.folder / "police.rewrap"]
                assert self.run("authority", *ask, *own) == 0
            given += ["--answer", out]
        return given


@pytest.fixture
def world(copied_parties, tmp_path: Path, shot, origin) -> World:
    made = World(copied_parties, tmp_path)
    made.put(shot, origin)
    return made


def let_the_court_follow_the_police(world: World) -> None:
    parties, shared = world.parties, world.parties.policy.parent
    parties.key("court").parent.mkdir()
    assert world.run("authority", "new", parties.key("court")) == 0
    text = shared / "next.toml"
    names = ("judge", "court", "ombudsman")
    public = [parties.key(name).with_suffix(".pub") for name in names]
    options = ["--quorum", 2, "--retention", "30d", "--epoch-keys", "epochs", "-o", text]
    options += ["--custodian", parties.custodian / "custodian.pub"]
    assert world.run("policy", "new", *public, *options) == 0
    change = shared / "change.json"
    assert world.run("policy", "change", text, *world.policy, "-o", change) == 0
    for name in names:
        assert world.run("policy", "sign", change, *world.policy, "--key", parties.key(name)) == 0
    assert world.run("policy", "adopt", change, *world.policy) == 0


def entries(world: World, name: str) -> list[object]:
    return list(entries_of(lines_in(world.parties.key(name).with_suffix(".log"))))


def test_a_held_shot_opens_under_the_quorum_of_today(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beyond its retention; the police that left and the ombudsman take no part then."""
    hold = world.warrant("hold.json", "judge", "police", until=60 * D)
    let_the_court_follow_the_police(world)
    capsys.readouterr()
    held = world.request(hold, "held.zip")
    said = " ".join(capsys.readouterr().err.split())
    assert "1 shot does not open to each quorum of version 2 of the policy: it takes" in said
    assert "`sealshot authority rewrap` of judge or police or ombudsman" in said
    with monkeypatch.context() as later:
        then = utc_now() + 40 * D
        later.setattr("sealshot.runtime.cli.commands.authority.utc_now", lambda: then)
        assert world.rewrap("police", held, hold) == 0
    assert "1 of 1 shot rewrapped for the authorities of version 2" in capsys.readouterr().err
    made = (world.folder / "police.rewrap").read_bytes()
    assert world.rewrap("police", held, hold) == 2
    assert "police.rewrap exists" in capsys.readouterr().err
    assert (world.folder / "police.rewrap").read_bytes() == made
    [done] = [entry for entry in entries(world, "police") if isinstance(entry, Rewrapped)]
    assert (done.case, done.version) == ("7", 2)
    rewrapped = ["--rewrap", world.folder / "police.rewrap"]
    world.request(hold, "again.zip", *rewrapped)
    assert "any quorum of version 2 of the policy opens them" in capsys.readouterr().err
    for name in ("police", "ombudsman"):
        world.parties.key(name).unlink()
    warrant = world.warrant("w.json", "judge", "court")
    request = world.request(warrant, "r.zip")
    given = world.answers(request, warrant, "judge", "court")
    asked = [world.vault, "--warrant", warrant, *world.policy]
    asked += ["--identity", world.parties.investigator, *given]
    capsys.readouterr()
    assert world.run("open", *asked, "-o", world.folder / "without") == 2
    said = capsys.readouterr().err
    assert "1 of the 2 authorities that it takes have answered" in said
    assert "give the --rewrap files by which court, judge answered" in said
    assert world.run("open", *asked, *rewrapped, "-o", world.folder / "out") == 0
    assert len(list((world.folder / "out").glob("*.jpg"))) == 1
    case = world.folder / "case.zip"
    assert world.run("evidence", "export", *asked, *rewrapped, "-o", case) == 0
    assert world.run("evidence", "verify", case, *world.policy) == 0
    page = read_zip(case.read_bytes(), limit=100)["index.html"].decode()
    assert "police, rewrapped for the authorities of version 2" in page
    ask = ["report", world.parties.key("police").with_suffix(".log"), *world.policy]
    capsys.readouterr()
    assert world.run(*ask, "--to", format_time(then + D)) == 0
    assert "rewrapped for" in capsys.readouterr().out


def test_what_is_refused_is_logged_and_leaves_no_file(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    hold = world.warrant("hold.json", "judge", "police", until=60 * D)
    held = world.request(hold, "held.zip")
    alone = world.warrant("alone.json", "judge", until=60 * D)
    opening = world.warrant("open.json", "judge", "police")
    capsys.readouterr()
    for why, warrant in {
        "signed by 1 of the 2": alone,
        "the warrant is to open": opening,
        "sealed to the authorities of version 1, as it is": hold,
    }.items():
        assert world.rewrap("police", held, warrant) == 2, why
        assert why in capsys.readouterr().err
        assert not (world.folder / "police.rewrap").exists()
    reasons = [entry.reason for entry in entries(world, "police") if isinstance(entry, Refused)]
    assert reasons == ["of-today"]
    let_the_court_follow_the_police(world)
    capsys.readouterr()
    assert world.rewrap("court", held, hold) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "it was sealed under version 1 of the policy, of which court is no authority" in said
    assert "no --rewrap has a piece of it for court" in said
    assert world.rewrap("police", held, hold, "--rewrap", hold) == 2
    assert "it is not a rewrap" in capsys.readouterr().err
    assert not list(world.folder.glob("*.rewrap"))
