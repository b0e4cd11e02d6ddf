"""A public stream is parsed by processes that hold no key: what they hold, may do, and end with."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from processes import confined, memory_of
from restoring import Told, ffmpeg, planes

from sealshot.runtime.cli.main import main
from sealshot.runtime.public.attached import attached
from sealshot.runtime.public.recording import Recording, Shown
from sealshot.runtime.public.restore import Restorer, messages_in_packets, survey
from sealshot.runtime.sandbox.messages import Request
from sealshot.runtime.sources.apart import Apart


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Apart, Request]]]:
    """All that are started in a test, with what they were asked for."""
    started: list[tuple[Apart, Request]] = []
    ask = Apart._ask

    def remember(process: Apart, request: Request) -> None:
        started.append((process, request))
        ask(process, request)

    monkeypatch.setattr(Apart, "_ask", remember)
    yield started
    assert not [one for one, _ in started if one._process.poll() is None]


def at_picture(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> None:
    """Do something in the middle of a restoration."""
    restore = Restorer.restore

    def look(restorer: Restorer, planes: object, message: object) -> None:
        restore(restorer, planes, message)
        if message.picture == number:
            act()

    monkeypatch.setattr(Restorer, "restore", look)


def living(processes: list[tuple[Apart, Request]]) -> dict[str, int]:
    return {r.job: p._process.pid for p, r in processes if p._process.poll() is None}


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody but root looks into it")
def test_who_parses_for_restore_has_no_key_in_memory(told: Told, monkeypatch, processes) -> None:
    secret = told.parties.investigator.read_text().split()[-1].encode()
    assert secret.startswith(b"AGE-SECRET-KEY-")
    seen: dict[str, bytes] = {}

    def look() -> None:
        seen.update({job: memory_of(pid) for job, pid in living(processes).items()})

    at_picture(monkeypatch, 20, look)
    assert told.restore("memory") == 0
    assert set(seen) == {"", "pieces"}  # who reads the stream, and who decodes what was sealed
    for memory in seen.values():
        assert secret not in memory
        assert secret[-40:] not in memory
    assert str(told.stream).encode() in seen[""]  # so that something would be found


def test_who_parses_for_restore_opens_no_key_writes_nothing_and_connects_nowhere(
    told: Told, processes
) -> None:
    """What each process was let is asked for again, by a program that tries it."""
    if confined("print(guards.landlock)") != ["True"]:
        pytest.skip("this kernel has no Landlock")
    assert told.restore("rights") == 0
    assert {request.job for _, request in processes} == {"packets", "", "pieces"}
    code = """
        print(*(refused(open, name) for name in names))
        print(refused(open, names[0], "a"), refused(open, names[1], "r+"))
        print(refused(socket.socket), refused(socket.socket, socket.AF_UNIX))
    """
    key, policy = told.parties.investigator, told.parties.policy
    for request in {r.job: r for _, r in processes}.values():
        assert not request.network
        assert not request.local_sockets
        assert set(request.readable) <= {str(told.stream)}
        names = [told.stream, key, policy, told.folder / "vault"]
        given = f"names = {[str(name) for name in names]}"
        lines = confined(code, *request.readable, files=len(request.readable), before=given)
        opened, written, connected = lines
        own = "done" if request.readable else "EACCES"
        assert opened == f"{own} EACCES EACCES EACCES"
        assert set(written.split()) <= {"EPERM", "EACCES"}
        assert connected == "EPERM EPERM"


@pytest.mark.parametrize("job", ["", "pieces"])
def test_a_process_that_dies_is_told_and_nothing_is_left(
    told: Told, monkeypatch, processes, capsys, job
) -> None:
    at_picture(monkeypatch, 10, lambda: os.kill(living(processes)[job], signal.SIGKILL))
    assert told.restore(f"dies-{job}") == 2
    error = capsys.readouterr().err
    assert "the process that parses it was ended by SIGKILL" in error
    assert "Traceback" not in error
    assert not list(told.folder.glob(f"dies-{job}.mkv*"))


def test_a_cover_whose_reader_dies_is_told_and_nothing_is_left(
    make_clip, tmp_path, monkeypatch, processes, capsys
) -> None:
    take = Recording._shown
    killed: list[int] = []

    def kill(recording: Recording, read: object) -> Shown | None:
        if not killed:  # of what was read ahead more may come when it is gone
            killed.append(living(processes)[""])
            os.kill(killed[0], signal.SIGKILL)
        return take(recording, read)

    monkeypatch.setattr(Recording, "_shown", kill)
    out = tmp_path / "public.mkv"
    assert main(["deidentify", str(make_clip()), "-o", str(out)]) == 2
    assert "was ended by SIGKILL" in capsys.readouterr().err
    assert not list(tmp_path.glob("public*"))


def contents(path: Path, sandbox: bool) -> tuple[object, ...]:
    with Recording(path, sandbox=sandbox) as recording:
        shown = [
            (
                one.picture.ticks,
                one.picture.time_s,
                [plane.tobytes() for plane in one.picture.planes],
                one.image.tobytes(),
                one.message,
            )
            for one in recording
            if isinstance(one, Shown)
        ]
        return recording.form, recording.codec, recording.damaged, shown


@pytest.mark.parametrize(
    "options",
    ["-c copy", "-c:v libx265 -x265-params log-level=none -bf 2 -frames:v 12", "-c:v ffv1 -r 7"],
    ids=["as it is", "without messages", "of another rate"],
)
def test_what_is_read_apart_is_what_is_read_here(told: Told, tmp_path, options) -> None:
    path = ffmpeg(told.stream, tmp_path / "copy.mkv", *options.split())
    assert contents(path, True) == contents(path, False)
    assert list(messages_in_packets(path)) == list(messages_in_packets(path, sandbox=False))


def test_what_a_stream_says_and_carries_is_the_same_apart(told: Told, tmp_path, capsys) -> None:
    assert survey(told.stream) == survey(told.stream, sandbox=False)
    vault, out = str(told.folder / "vault"), tmp_path / "all.mkv"
    assert main(["public", "attach", str(told.stream), "--vault", vault, "-o", str(out)]) == 0
    assert attached(out) == attached(out, sandbox=False) != {}
    capsys.readouterr()
    said = []
    for options in ([], ["--no-sandbox"]):
        assert main(["public", "read", str(told.stream), "--json", *options]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


def test_restore_without_a_sandbox_gives_the_same_and_starts_nobody(told: Told, processes) -> None:
    assert told.restore("apart") == 0
    count = len(processes)
    assert told.restore("here", "--no-sandbox") == 0
    assert len(processes) == count > 0
    for one, other in zip(
        planes(told.folder / "apart.mkv"), planes(told.folder / "here.mkv"), strict=True
    ):
        assert [a.tobytes() for a in one] == [b.tobytes() for b in other]


def test_sound_is_copied_and_its_video_the_same(make_clip, tmp_path, processes) -> None:
    clip = make_clip(sound="aac")
    with Recording(clip, sound=True) as recording:
        assert any(isinstance(item, av.Packet) for item in recording)
    assert processes == []
    with Recording(clip) as recording:
        assert not any(isinstance(item, av.Packet) for item in recording)
    assert len(processes) == 1
