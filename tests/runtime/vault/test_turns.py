"""A camera that runs while its policy changes hands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from sealshot.runtime.cli.commands.camera import read_keys
from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.entries import PolicyChanged, Started
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.succession import changes_folder, read_policy
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.vault import caretaker, turns
from sealshot.runtime.vault.keeper import Keeper, Sealing
from sealshot.runtime.vault.record import LOG

D = timedelta(days=1)


@dataclass
class Camera:
    """A camera whose folder others copy new versions into."""

    parties: object
    vault: Path
    clock: object

    def sealing(self) -> Sealing:
        read = partial(read_keys, self.parties.camera_policy)
        return replace(self.parties.sealing(), newest_keys=read)

    def keeper(self) -> Keeper:
        return Keeper(self.vault, self.sealing(), self.clock)

    def turn(self, keeper: Keeper) -> None:
        """A day passes, and the keeper looks at the clock."""
        self.clock.true += D
        keeper.tick()

    def under(self, name: str) -> str:
        """The digest of the policy that a shot was sealed under."""
        return read_container((self.vault / name).read_bytes()).header.policy

    def changes(self) -> list[PolicyChanged]:
        entries = entries_of(lines_in(self.vault / LOG))
        return [entry for entry in entries if isinstance(entry, PolicyChanged)]


@pytest.fixture(autouse=True)
def each_tick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caretaker, "TICK_EVERY_S", 0.0)


@pytest.fixture
def camera(copied_parties, tmp_path: Path, steady_clock) -> Camera:
    return Camera(copied_parties, tmp_path / "vault", steady_clock(utc_now()))


@pytest.fixture
def first(camera) -> Policy:
    return read_policy(camera.parties.policy)


def change(parties, *, sign: tuple[str, ...] = ("judge", "police")) -> Policy:
    """Make version 2, of two authorities, and give it to the camera; signed by these."""
    shared = parties.policy.parent
    new, document = shared / "next.toml", shared / "change.json"
    public = [str(parties.key(name).with_suffix(".pub")) for name in ("judge", "police")]
    options = ["--quorum", "2", "--retention", "30d", "--epoch-keys", "epochs", "--custodian"]
    options += [str(parties.custodian / "custodian.pub"), "-o", str(new)]
    assert main(["policy", "new", *public, *options]) == 0
    policy = ["--policy", str(parties.policy)]
    assert main(["policy", "change", str(new), *policy, "-o", str(document)]) == 0
    for name in sign:
        signing = ["policy", "sign", str(document), *policy, "--key", str(parties.key(name))]
        assert main(signing) == 0
    to = changes_folder(parties.camera_policy)
    to.mkdir()
    (to / "2.json").write_bytes(document.read_bytes())
    return read_policy(parties.camera_policy) if len(sign) == 2 else read_policy(parties.policy)


def test_a_version_takes_force_when_the_epoch_turns(camera, first, shot, origin) -> None:
    with camera.keeper() as keeper:
        second = change(camera.parties)
        before = keeper.put(shot, origin)
        camera.turn(keeper)
        after = keeper.put(shot, origin)
    assert [camera.under(one) for one in (before, after)] == [first.digest, second.digest]
    [entry] = camera.changes()
    assert (entry.previous, entry.policy, entry.version) == (first.digest, second.digest, 2)
    with camera.keeper():  # it starts under it, and has nothing more to tell
        pass
    assert len(camera.changes()) == 1


def test_one_that_is_not_signed_as_it_must_be_is_told_and_the_old_one_goes_on(
    camera, first, shot, origin, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LOOK_EVERY_S", 0.0)  # it looks again each time
    with camera.keeper() as keeper:
        change(camera.parties, sign=("judge",))
        camera.turn(keeper)
        shots = [keeper.put(shot, origin) for _ in range(3)]
        assert {camera.under(one) for one in shots} == {first.digest}
        [told] = [line for line in reports if "stays in force" in line]
        assert "version 1 of the policy stays in force" in told
        assert "signed by 1 of the 2" in told
        assert camera.changes() == []
        changes_folder(camera.parties.camera_policy).rename(camera.vault.parent / "away")
        second = change_again(camera)
        assert camera.under(keeper.put(shot, origin)) == second.digest


def change_again(camera) -> Policy:
    for file in ("next.toml", "change.json"):
        (camera.parties.policy.parent / file).unlink()
    return change(camera.parties)


def test_a_start_takes_what_is_there_and_logs_it_first(camera, first, shot, origin) -> None:
    with camera.keeper() as keeper:
        keeper.put(shot, origin)
    second = change(camera.parties)
    with camera.keeper() as keeper:
        assert camera.under(keeper.put(shot, origin)) == second.digest
    kinds = [
        entry
        for entry in entries_of(lines_in(camera.vault / LOG))
        if isinstance(entry, Started | PolicyChanged)
    ]
    assert [type(entry) for entry in kinds] == [Started, PolicyChanged, Started]
    assert [getattr(entry, "version", 0) for entry in kinds] == [1, 2, 2]


def test_a_log_that_begins_under_a_later_version_says_so_at_its_start(camera) -> None:
    second = change(camera.parties)
    with camera.keeper():
        pass
    [_, started, _] = entries_of(lines_in(camera.vault / LOG))
    assert isinstance(started, Started)
    assert (started.policy, started.version) == (second.digest, 2)


def test_a_folder_that_was_set_back_is_refused_and_nothing_is_touched(camera, shot, origin) -> None:
    change(camera.parties)
    with camera.keeper() as keeper:
        name = keeper.put(shot, origin)
    log = (camera.vault / LOG).read_bytes()
    away = changes_folder(camera.parties.camera_policy).rename(camera.vault.parent / "away")
    with pytest.raises(SealError, match="version 1, and the log has version 2: it was set back"):
        camera.keeper()
    assert (camera.vault / LOG).read_bytes() == log
    assert (camera.vault / name).exists()
    away.rename(changes_folder(camera.parties.camera_policy))


def test_set_back_while_it_runs_it_goes_on_under_the_newer_one(
    camera, shot, origin, reports: list[str]
) -> None:
    second = change(camera.parties)
    with camera.keeper() as keeper:
        changes_folder(camera.parties.camera_policy).rename(camera.vault.parent / "away")
        camera.turn(keeper)
        assert camera.under(keeper.put(shot, origin)) == second.digest
    assert any("version 2 of the policy stays in force" in line for line in reports)


def test_another_policy_in_its_place_is_refused(camera, classical_parties, shot, origin) -> None:
    with camera.keeper() as keeper:
        keeper.put(shot, origin)
    other = classical_parties.camera_policy.read_bytes()
    camera.parties.camera_policy.write_bytes(other)
    with pytest.raises(SealError, match="it was replaced, or is a fork"):
        camera.keeper()
