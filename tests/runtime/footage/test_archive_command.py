"""`sealshot archive`: many recordings, one sealed shot for each person on each, whatever dies."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.main import main
from sealshot.runtime.demo.clip import write_clip
from sealshot.runtime.errors import InputError
from sealshot.runtime.footage import workers
from sealshot.runtime.footage.journal import JOURNAL, Journal
from sealshot.runtime.footage.recordings import Recording, find_recordings, opened, time_in
from sealshot.runtime.footage.workers import _RaySays
from sealshot.runtime.vault.store import list_objects

PEOPLE = 2
"""On each of the clips."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    write_clip(path)
    return path


@pytest.fixture
def footage(clip: Path, tmp_path: Path) -> list[str]:
    """Two clips whose names say when they began."""
    names = [f"cam-20261121_1{hour}0000.avi" for hour in range(2)]
    return [str(shutil.copy(clip, tmp_path / name)) for name in names]


@pytest.fixture
def command(footage: list[str], identity: X25519Identity, tmp_path: Path) -> list[str]:
    to = ["--to", str(identity.recipient), "--vault", str(tmp_path / "vault")]
    return ["archive", *footage, *to, "--json"]


def start(command: list[str]) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "sealshot", *command]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes that watch for another one."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def until(condition: Callable[[], object], limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_worker_and_the_writer_are_killed_and_nobody_is_lost_or_sealed_twice(
    command: list[str], footage: list[str], tmp_path: Path, identity_file: Path, capsys
) -> None:
    vault = tmp_path / "vault"
    run = start([*command, "--workers", "2"])
    until(lambda: len(workers_of(run)) == 2)
    os.kill(workers_of(run)[0], signal.SIGKILL)
    until(lambda: (vault / JOURNAL).exists() and b"seal" in (vault / JOURNAL).read_bytes())
    run.kill()
    run.communicate()
    assert main([*command, "--workers", "1"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["recordings"] + summary["before"] == len(footage)
    assert len(list_objects(vault)) == PEOPLE * len(footage)
    assert main([*command, "--workers", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["before"] == len(footage)
    opening = ["open", str(vault), "--identity", str(identity_file), "-o", str(tmp_path / "out")]
    assert main([*opening, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["opened"]
    seen = sorted((one["source"], one["track"], one["utc"], one["clock"]) for one in shown)
    assert [one[:2] for one in seen] == [(name, n) for name in footage for n in (1, 2)]
    assert all(
        utc.startswith(f"2026-11-21T1{i // 2}:00:0") for i, (_, _, utc, _) in enumerate(seen)
    )
    assert {one[3] for one in seen} == {"given"}


def test_a_full_disk_is_told_and_the_same_command_goes_on(
    command: list[str], footage: list[str], small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = [*command, "--vault", str(small_disk / "vault"), "--workers", "1"]
    (small_disk / "other").write_bytes(bytes(200 << 10))
    assert main(full) == 1
    said = capsys.readouterr()
    summary = json.loads(said.out)
    assert "No space left on device" in summary["failure"]["fact"]
    assert summary["people"] < PEOPLE * len(footage)
    assert "Traceback" not in said.err
    (small_disk / "other").unlink()
    assert main(full) == 0
    assert json.loads(capsys.readouterr().out)["failure"] is None
    assert len(list_objects(small_disk / "vault")) == PEOPLE * len(footage)


def test_what_ray_says_is_not_in_the_summary(caplog, capsys) -> None:
    with contextlib.redirect_stdout(_RaySays()):
        print("(raylet) A worker died or was killed")
    assert capsys.readouterr().out == ""
    assert "is done again" in caplog.text


def test_ctrl_c_leaves_what_the_same_command_goes_on_with(
    command: list[str], footage: list[str], tmp_path: Path
) -> None:
    run = start([*command, "--workers", "1"])
    until(lambda: workers_of(run))
    workers = workers_of(run)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "Traceback" not in err
    assert "the same command goes on with them" in err
    assert json.loads(out)["left"] >= 1
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 10)


def test_what_cannot_be_watched_is_told_and_the_rest_is_sealed(
    command: list[str], clip: Path, tmp_path: Path, capsys
) -> None:
    nameless = shutil.copy(clip, tmp_path / "nameless.avi")
    (tmp_path / "empty_2026-11-21_10-00-00.mp4").write_bytes(b"\0" * 100)
    given = [str(nameless), str(tmp_path / "empty_2026-11-21_10-00-00.mp4"), *command[2:]]
    assert main(["archive", *given, "--workers", "1"]) == 2
    shown = capsys.readouterr()
    assert "neither its name nor its container says when it began" in shown.err
    assert "empty_2026-11-21_10-00-00.mp4 is not a video" in shown.err
    assert json.loads(shown.out)["people"] == PEOPLE
    assert main(["archive", str(nameless), *command[3:], "--start-times", "now"]) == 0


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        (["missing.mp4"], "missing.mp4 cannot be read: No such file"),
        (["."], ". is no file"),
        (["s3://"], "s3:// names no recording"),
        (["{clip}", "--zone", "Mars/Olympus"], "there is no time zone 'Mars/Olympus'"),
        (["{clip}", "--workers", "0"], "'0' are no workers"),
        (["{clip}", "--workers", "many"], "'many' are no workers"),
        (["{clip}", "--margin", "9"], "a margin of 9.0"),
    ],
)
def test_what_is_wrong_is_told(
    options: list[str], fact: str, clip: Path, tmp_path: Path, identity: X25519Identity, capsys
) -> None:
    given = [one.format(clip=clip) for one in options]
    to = ["--to", str(identity.recipient), "--vault", str(tmp_path / "vault")]
    assert main(["archive", *given, *to]) == 2
    assert fact in capsys.readouterr().err


def test_two_runs_do_not_bring_footage_into_one_vault(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    with pytest.raises(InputError, match="another run"):
        Journal(tmp_path)
    first.close()
    Journal(tmp_path).close()


def test_a_journal_knows_what_was_sealed_when_it_was_cut(tmp_path: Path) -> None:
    one, other = Recording("1" * 64, "a", None), Recording("2" * 64, "b", None)
    journal = Journal(tmp_path)
    assert journal.seal(one, 0, "a" * 32, lambda _: False)
    assert journal.seal(one, 1, "b" * 32, lambda _: False)
    journal.finish(other)
    journal.close()
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b"done 1111")
    again = Journal(tmp_path)
    assert again.is_done(other)
    assert not again.is_done(one)
    there = {"a" * 32}.__contains__
    assert not again.seal(one, 0, "c" * 32, there)
    assert again.seal(one, 1, "d" * 32, there)
    assert (tmp_path / JOURNAL).read_bytes().endswith(b" 1 " + b"d" * 32 + b"\n")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2026-11-21_10-20-30.mp4", "2026-11-21T10:20:30"),
        ("NVR_ch1_main_20261121102030_20261121112030.mp4", "2026-11-21T10:20:30"),
        ("cam 2026.11.21 10.20.30.mkv", "2026-11-21T10:20:30"),
        ("20261121T102030Z.ts", "2026-11-21T10:20:30"),
        ("2026-13-21_10-20-30.mp4", None),
        ("clip-1234567890123456.mp4", None),
        ("/2026-11-21_10-20-30/clip.mp4", None),
    ],
)
def test_times_in_names(name: str, expected: str | None) -> None:
    found = time_in(name, timezone.utc)
    assert (found.strftime("%Y-%m-%dT%H:%M:%S") if found else None) == expected
    if found:
        assert time_in(name, ZoneInfo("Europe/Brussels")) == found - timedelta(hours=1)


def test_recordings_of_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    obstore = pytest.importorskip("obstore")
    from obstore.store import MemoryStore

    from sealshot.runtime.footage import recordings
    from sealshot.runtime.vault.s3 import Store

    memory = MemoryStore()
    for key in ("footage/2026-11-21_10-20-30.mp4", "footage/x.txt", "other/y.mp4"):
        obstore.put(memory, key, key.encode())
    monkeypatch.setattr(
        recordings, "open_store", lambda url, retries: Store(obstore, memory, "bucket")
    )
    (found,) = find_recordings(["s3://bucket/footage/*.mp4"])
    assert found.name == "s3://bucket/footage/2026-11-21_10-20-30.mp4"
    assert found.began == datetime(2026, 11, 21, 10, 20, 30, tzinfo=timezone.utc)
    with opened(found) as path:
        assert Path(path).read_bytes() == b"footage/2026-11-21_10-20-30.mp4"
    with pytest.raises(InputError, match="there is no recording"):
        find_recordings(["s3://bucket/none/*.mp4"])


def test_each_worker_of_a_cluster_has_a_processor_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = os.sched_getaffinity(0)
    for processor in allowed:
        (tmp_path / f"cpu{processor}").mkdir()
    monkeypatch.setattr(workers, "PROCESSORS", tmp_path, raising=False)
    all_at_once = threading.Barrier(len(allowed) + 1)
    bound: list[set[int]] = []

    def watch(*_: object) -> None:
        bound.append(os.sched_getaffinity(0))
        all_at_once.wait(20)

    monkeypatch.setattr(workers, "watch_recording", watch)
    recording = Recording("1" * 64, "a", None)
    threads = [
        threading.Thread(target=workers._on_one_processor, args=(recording, None))
        for _ in range(len(allowed) + 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own, left_over = [[one] for one in allowed], sorted(allowed)
    assert sorted(map(sorted, bound)) == sorted([*own, left_over])
