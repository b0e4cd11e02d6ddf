"""The spool: nothing that was stored is forgotten, whatever servers, networks and kills do."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sealshot.runtime.errors import VaultError
from sealshot.runtime.seal.checkpoint import parse_checkpoint
from sealshot.runtime.seal.entries import Alive
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.vault import targets as upload_targets
from sealshot.runtime.vault import upload
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.store import Vault
from sealshot.runtime.vault.targets import UploadError, open_target
from sealshot.runtime.vault.upload import SENT, SPOOL, Delivery, Uploads, waiting

QUICK = {"first_wait_s": 0.02, "longest_wait_s": 0.2}


class Sink:
    """A target in memory; what it is told to refuse, it refuses."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.tries: list[tuple[float, str]] = []
        self.refuses: Callable[[str], str] = lambda _: ""

    def deliver(self, name: str, data: bytes) -> None:
        self.tries.append((time.monotonic(), name))
        if why := self.refuses(name):
            raise UploadError(why)
        self.stored[name] = data


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with Vault(tmp_path / "vault") as store:
        yield store


def put(vault: Vault, uploads: Uploads, day: int = 1) -> tuple[str, bytes]:
    name = f"2026-11-{day:02}/{secrets.token_hex(16)}.sealed"
    data = secrets.token_bytes(3000)
    uploads.expect(name)
    vault.store(data, name=name)
    uploads.enqueue(name)
    return name, data


def marks(vault: Vault) -> list[str]:
    return sorted(mark.name for mark in (vault.path / SPOOL).iterdir())


def test_everything_is_sent_once_and_kept_until_it_is_settled(
    vault: Vault, reports: list[str]
) -> None:
    sink = Sink()
    uploads = Uploads(vault, Delivery(sink, **QUICK))
    uploads.start()
    objects = dict(put(vault, uploads, day) for day in range(1, 21))
    assert uploads.drain() == 0
    assert sink.stored == objects
    assert len(sink.tries) == 20
    assert sorted(uploads.acknowledged()) == sorted(objects)
    assert marks(vault) == sorted(name.replace("/", "_") + SENT for name in objects)
    assert waiting(vault.path) == []
    first = next(iter(objects))
    uploads.settle([first])
    assert first not in uploads.acknowledged()
    uploads.settle(uploads.acknowledged())
    assert marks(vault) == []
    uploads.stop()
    assert reports == []


def test_a_run_takes_up_what_an_earlier_one_left(vault: Vault, reports: list[str]) -> None:
    down = Sink()
    down.refuses = lambda _: "the network is gone"
    first = Uploads(vault, Delivery(down, **QUICK))
    first.start()
    objects = dict(put(vault, first) for _ in range(5))
    assert first.drain() == 5
    first.stop()
    assert waiting(vault.path) == sorted(objects)
    assert "5 shots are not uploaded yet" in reports[-1]

    never = f"2026-11-09/{'0' * 32}.sealed"  # marked by a run that was killed before it stored
    first.expect(never)
    (vault.path / SPOOL / "foreign").touch()
    sink = Sink()
    second = Uploads(vault, Delivery(sink, **QUICK))
    second.start()
    assert second.drain() == 0
    second.stop()
    assert sink.stored == objects
    assert sorted(second.acknowledged()) == sorted(objects)

    third = Uploads(
        vault, Delivery(sink, **QUICK)
    )  # killed before it settled: told again, sent no more
    third.start()
    assert sorted(third.acknowledged()) == sorted(objects)
    third.settle(third.acknowledged())
    third.stop()
    assert len(sink.tries) == 5
    assert marks(vault) == ["foreign"]


def test_two_runs_on_one_vault_do_not_trip_over_each_other(vault: Path, reports: list[str]) -> None:
    down = Sink()
    down.refuses = lambda _: "down"
    first = Uploads(vault, Delivery(down, first_wait_s=60))
    first.start()
    objects = dict(put(vault, first) for _ in range(20))
    first.stop()
    reports.clear()
    sinks = [Sink(), Sink()]
    runs = [Uploads(vault, Delivery(sink, **QUICK)) for sink in sinks]
    for run in runs:
        run.start()
    for run in runs:
        assert run.drain() == 0
        run.stop()
    assert sinks[0].stored | sinks[1].stored == objects
    for run in runs:
        run.settle(run.acknowledged())
    assert marks(vault) == []
    assert reports == []


def test_the_waits_grow_by_doubling_with_chance_and_end(
    vault: Vault, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The waits are taken from the uploads themselves; 2,000 failures are a week of outage."""
    sink = Sink()
    sink.refuses = lambda _: "down"
    uploads = Uploads(vault, Delivery(sink, first_wait_s=1.0, longest_wait_s=600.0))
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)
    uploads.start()
    name, _ = put(vault, uploads)
    waits = []
    for _ in range(2000):
        before = time.monotonic()
        uploads._put_off(name, UploadError("down"))
        waits.append(uploads._retry_at - before)
    assert all(0.5 * 2**n <= waits[n] <= 2**n + 0.1 for n in range(10))
    assert all(300 <= wait <= 600.1 for wait in waits[10:])
    assert len({round(wait, 3) for wait in waits[10:]}) > 1500  # cameras do not come in step
    assert len(reports) == 1


def test_new_shots_do_not_cut_a_wait_short(vault: Vault, reports: list[str], wait_until) -> None:
    sink = Sink()
    sink.refuses = lambda _: "down"
    uploads = Uploads(vault, Delivery(sink, first_wait_s=30.0, longest_wait_s=30.0))
    uploads.start()
    put(vault, uploads)
    wait_until(lambda: len(sink.tries) == 1)
    for _ in range(20):
        put(vault, uploads)
    time.sleep(0.1)
    assert len(sink.tries) == 1
    sink.refuses = lambda _: ""
    assert uploads.drain() == 0  # the end of a run tries again at once
    uploads.stop()
    assert reports[-1] == "upload works again"


def test_one_that_is_refused_holds_up_no_other_and_is_told_once(
    vault: Vault, reports: list[str], wait_until
) -> None:
    sink = Sink()
    uploads = Uploads(vault, Delivery(sink, **QUICK))
    uploads.start()
    sink.refuses = lambda name: "too large" if name.startswith("2026-11-09") else ""
    bad, _ = put(vault, uploads, day=9)
    objects = dict(put(vault, uploads) for _ in range(10))
    wait_until(lambda: objects.keys() <= sink.stored.keys())
    wait_until(lambda: sum(name == bad for _, name in sink.tries) >= 4)
    assert len(reports) == 1
    assert "too large" in reports[0]
    sink.refuses = lambda _: ""
    assert uploads.drain() == 0
    assert reports[1:] == ["upload works again"]
    uploads.stop()
    assert sink.stored.keys() == {bad, *objects}


def test_a_defect_in_a_target_does_not_end_uploads(
    vault: Vault, reports: list[str], wait_until
) -> None:
    sink = Sink()
    uploads = Uploads(vault, Delivery(sink, **QUICK))

    def fail(_: str) -> str:
        raise ZeroDivisionError

    sink.refuses = fail
    uploads.start()
    name, data = put(vault, uploads)
    wait_until(lambda: len(sink.tries) > 2)
    assert "ZeroDivisionError" in reports[0]
    sink.refuses = lambda _: ""
    assert uploads.drain() == 0
    uploads.stop()
    assert sink.stored == {name: data}


def test_what_was_purged_meanwhile_is_forgotten(vault: Vault, reports: list[str]) -> None:
    sink = Sink()
    sink.refuses = lambda _: "down"
    uploads = Uploads(vault, Delivery(sink, **QUICK))
    uploads.start()
    gone, _ = put(vault, uploads)
    kept, data = put(vault, uploads)
    assert uploads.is_pending(gone)
    vault.delete(gone)
    sink.refuses = lambda _: ""
    assert uploads.drain() == 0
    uploads.stop()
    assert sink.stored == {kept: data}
    assert uploads.acknowledged() == [kept]
    assert not uploads.is_pending(gone)


def test_what_was_replaced_during_an_outage_does_not_end_it(
    vault: Path, reports: list[str], wait_until
) -> None:
    sink = Sink()
    sink.refuses = lambda _: "down"
    uploads = Uploads(vault, Delivery(sink, **QUICK))
    uploads.start()
    gone, _ = put(vault, uploads)
    wait_until(lambda: bool(reports))
    vault.delete(gone)
    wait_until(lambda: not uploads.is_pending(gone))
    put(vault, uploads)
    wait_until(lambda: len({name for _, name in sink.tries}) == 2)
    time.sleep(0.05)
    uploads.stop()
    assert len(reports) == 1


def test_a_target_that_hangs_does_not_keep_a_run_from_ending(
    vault: Vault, reports: list[str], monkeypatch: pytest.MonkeyPatch, wait_until
) -> None:
    monkeypatch.setattr(upload, "STOP_S", 0.2)
    release = threading.Event()
    sink = Sink()
    sink.refuses = lambda _: "" if release.wait(20) else "late"
    uploads = Uploads(vault, Delivery(sink, **QUICK))
    uploads.start()
    name, _ = put(vault, uploads)
    wait_until(lambda: bool(sink.tries))
    start = time.monotonic()
    assert uploads.drain(0.2) == 1
    uploads.stop()
    assert time.monotonic() - start < 2
    assert waiting(vault.path) == [name]
    release.set()


def test_a_spool_that_cannot_be_written(vault: Vault, reports: list[str]) -> None:
    (vault.path / SPOOL).write_text("no folder")
    with pytest.raises(VaultError, match="cannot write to"):
        Uploads(vault, Delivery(Sink())).start()
    (vault.path / SPOOL).unlink()
    uploads = Uploads(vault, Delivery(Sink()))
    uploads.start()
    shutil.rmtree(vault.path / SPOOL)
    with pytest.raises(VaultError, match="No such file"):
        uploads.expect(f"2026-11-01/{'0' * 32}.sealed")
    uploads.stop()


def test_a_server_with_bad_manners_gets_everything_in_the_end(
    server, vault: Vault, reports: list[str], monkeypatch: pytest.MonkeyPatch, wait_until
) -> None:
    monkeypatch.setattr(upload_targets, "TIMEOUT_S", 0.2)
    server.manners = ["drop", "500", "ok", "403", "hang", "garbage", "drop", "other bytes", "slow"]
    uploads = Uploads(vault, Delivery(open_target(server.template), **QUICK))
    uploads.start()
    objects = dict(put(vault, uploads) for _ in range(8))
    wait_until(lambda: server.stored == objects)
    assert uploads.drain() == 0
    uploads.stop()
    assert sorted(uploads.acknowledged()) == sorted(objects)
    assert len(server.requests) == 8 + 7
    assert len({report for report in reports if "upload fails" in report}) >= 4
    assert reports[-1] == "upload works again"


def test_a_network_that_is_cut_again_and_again_loses_nothing(
    bucket, wire, vault: Vault, reports: list[str], monkeypatch: pytest.MonkeyPatch, wait_until
) -> None:
    """A real S3 server behind a wire that is cut in the middle of every third object."""
    for name, value in bucket.environment(wire.port).items():
        monkeypatch.setenv(name, value)
    uploads = Uploads(vault, Delivery(open_target("s3://shots/camera"), **QUICK))
    uploads.start()
    objects: dict[str, bytes] = {}
    for number in range(30):
        if number % 3 == 0:
            wire.mend()
            wire.cut_after(5000)
        name = f"2026-11-01/{secrets.token_hex(16)}.sealed"
        objects[name] = secrets.token_bytes(20_000)
        uploads.expect(name)
        vault.store(objects[name], name=name)
        uploads.enqueue(name)
        time.sleep(0.01)
    wire.left = None
    wire.mend()
    wait_until(lambda: len(uploads.acknowledged()) == len(objects))
    uploads.stop()
    there = {name.removeprefix("camera/"): data for name, data in bucket.objects().items()}
    lost = objects.keys() - there.keys()
    print(f"spool: {len(objects)} objects, {wire.cuts} cuts, {len(lost)} lost")
    assert there == objects
    assert wire.cuts >= 3
    assert any("upload fails" in report for report in reports)


def test_a_checkpoint_of_the_log_goes_with_each_upload(vault: Vault, reports: list[str]) -> None:
    """One a burst; what is not taken holds no shot up, and goes with the next."""
    key, sink = SigningKey.generate(), Sink()
    sink.refuses = lambda name: "full" if name.startswith("checkpoints/") else ""
    uploads = Uploads(vault, Delivery(sink, **QUICK))
    with Log(vault.path / LOG, "cam1", key) as log:
        log.append(*(Alive(f"2026-11-21T{hour:02}") for hour in range(9)))
        uploads.start()
        objects = dict(put(vault, uploads, day) for day in range(1, 6))
        assert uploads.drain() == 0
        assert sink.stored == objects
        assert [report for report in reports if "checkpoint" in report] == [
            "a checkpoint of the log is not uploaded: full; one goes with the next shot"
        ]
        sink.refuses = lambda _: ""
        put(vault, uploads)
        assert uploads.drain() == 0
        log.append(Alive("2026-11-21T10"))
        put(vault, uploads)
        assert uploads.drain() == 0
    uploads.stop()
    notes = {name: note for name, note in sink.stored.items() if name.startswith("checkpoints/")}
    sizes = {name: parse_checkpoint(note, key.verify_key).size for name, note in notes.items()}
    assert sizes == {"checkpoints/9.checkpoint": 9, "checkpoints/10.checkpoint": 10}
