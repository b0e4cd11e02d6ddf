"""A disk that is full as a camera's run begins or ends, or until the network is back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from full_disk import fill, kept_by_log

from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.seal.checkpoint import checkpoint_path
from sealshot.runtime.seal.entries import Started
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.seal.payload import Origin
from sealshot.runtime.types import Shot
from sealshot.runtime.vault import backlog
from sealshot.runtime.vault import keeper as keeping
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.store import list_objects
from sealshot.runtime.vault.targets import UploadError
from sealshot.runtime.vault.upload import Delivery


@pytest.fixture(autouse=True)
def each_look_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "RETRY_EVERY_S", 0.0)
    monkeypatch.setattr(keeping, "BEGIN_EVERY_S", 0.0)
    monkeypatch.setattr(keeping, "ROOM_S", 0.0)


@pytest.mark.parametrize(
    "before", ["nothing", "a run", "a run that was killed as it logged", "a run by a wrong clock"]
)
def test_who_starts_on_a_full_disk_keeps_people_in_memory_until_it_has_room(
    small_disk: Path,
    parties,
    shot: Shot,
    origin: Origin,
    reports: list[str],
    before: str,
) -> None:
    vault, kept = small_disk / "vault", set()
    vault.mkdir()
    if before != "nothing":
        with Keeper(vault, parties.sealing()) as keeper:
            kept = {keeper.put(shot, origin)}
            signed = checkpoint_path(vault / LOG).read_bytes()
            kept.add(keeper.put(shot, origin))
        if "killed" in before:
            checkpoint_path(vault / LOG).write_bytes(signed)
    sealing = replace(parties.sealing(), clock_is_right="clock" in before)
    free = fill(small_disk)
    with Keeper(vault, sealing, waits=True) as keeper:
        keeper.tick()
        assert "No space left on device" in keeper.problem()
        waiting = {keeper.put(shot, origin) for _ in range(3)}
        assert "wait in memory: 3" in keeper.problem()
        assert {found.id for found in list_objects(vault)} == kept
        free()
        keeper.tick()
        assert keeper.problem() == ""
        kept |= waiting | {keeper.put(shot, origin)}
    assert {found.id for found in list_objects(vault)} == kept
    assert kept_by_log(vault, parties) == kept
    entries = list(entries_of(lines_in(vault / LOG)))
    assert sum(isinstance(entry, Started) for entry in entries) == 1 + (before != "nothing")
    assert len([report for report in reports if "No space left" in report]) == 1


def test_a_recording_does_not_start_on_a_full_disk(small_disk: Path, parties) -> None:
    (small_disk / "vault").mkdir()
    fill(small_disk)
    with pytest.raises(SealshotError, match="No space left"):
        Keeper(small_disk / "vault", parties.sealing())


def test_who_ends_waits_for_room(
    small_disk: Path, parties, shot: Shot, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, slept = small_disk / "vault", []
    monkeypatch.setattr(keeping, "ROOM_S", 60.0)
    with Keeper(vault, parties.sealing(), waits=True) as keeper:
        free = fill(small_disk)
        waiting = keeper.put(shot, origin)

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 3:
                free()

        monkeypatch.setattr(keeping.time, "sleep", sleep)
        assert keeper.settle() == frozenset()
    assert len(slept) == 3
    assert kept_by_log(vault, parties) == {waiting}


class Network:
    """Takes uploads once it is up."""

    def __init__(self) -> None:
        self.up, self.taken = False, dict[str, bytes]()

    def deliver(self, name: str, data: bytes) -> None:
        if not self.up:
            raise UploadError("the network is down")
        self.taken[name] = data


@pytest.mark.parametrize("by", ["the run that fills it", "a run that starts on it", "a command"])
def test_a_disk_that_filled_up_while_the_network_was_down_heals_by_uploads(
    by: str, small_disk: Path, parties, shot: Shot, origin: Origin, monkeypatch
) -> None:
    vault, network = small_disk / "vault", Network()
    delivery = Delivery(network, delete=True, first_wait_s=0.01, longest_wait_s=0.01)
    sealing = replace(parties.sealing(), delivery=delivery)
    monkeypatch.setattr("sealshot.runtime.cli.commands.vault_upload.LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(
        "sealshot.runtime.cli.commands.vault_upload.open_target", lambda *_, **__: network
    )
    sealed = set()
    with Keeper(vault, sealing, waits=True) as keeper:
        sealed |= {keeper.put(shot, origin) for _ in range(3)}
        fill(small_disk)
        if by == "the run that fills it":
            sealed.add(keeper.put(shot, origin))
            network.up = True
            wait_until(lambda: keeper.tick() or not keeper.problem())
    network.up = True
    if by == "a run that starts on it":
        with Keeper(vault, sealing, waits=True) as keeper:
            sealed.add(keeper.put(shot, origin))
            wait_until(lambda: keeper.tick() or not keeper.problem())
    if by == "a command":
        upload = ["vault", "upload", str(vault), "https://host/{name}", "--after-upload", "delete"]
        assert main([*upload, "--policy", str(parties.camera_policy)]) == 0
    there = {found.id for found in list_objects(vault)}
    assert there | (network.taken.keys() & sealed) == sealed
    assert len(there) <= 1
    assert kept_by_log(vault, parties) == there


def wait_until(holds: Callable[[], bool], limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
