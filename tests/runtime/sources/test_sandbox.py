"""The process that parses a stream: what it holds, how it ends, and what is believed of it."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from processes import memory_of

from sealshot.runtime.cli.main import main
from sealshot.runtime.public.decoded import as_raw
from sealshot.runtime.sandbox import process
from sealshot.runtime.sandbox.messages import (
    PROTOCOL,
    Ended,
    Guards,
    MessageError,
    Need,
    Opened,
    Raw,
    Refused,
    Request,
    Shown,
    pack,
    unpack,
)
from sealshot.runtime.sources import apart, frames_of, open_source
from sealshot.runtime.sources.live import Live
from sealshot.runtime.sources.media import open_media
from sealshot.runtime.sources.reader import NoVideoError
from sealshot.runtime.sources.sandboxed import Sandboxed
from sealshot.runtime.types import Frame

ROOT = Path(__file__).parents[3] / ".package"


def test_who_runs_since_before_an_update_is_told_to_start_again(make_video) -> None:
    older = Request(str(make_video()), protocol=PROTOCOL - 1)
    with pytest.raises(NoVideoError, match="updated while this program ran") as refused:
        Sandboxed(older)
    assert refused.value.lasting
    assert refused.value.hint == "start it again"


def child_of(source: object) -> int:
    return source._reader._process.pid


def environment_and_files(pid: int) -> tuple[bytes, set[str]]:
    folder = Path(f"/proc/{pid}")
    open_files = {os.readlink(one) for one in (folder / "fd").iterdir()}  # noqa: PTH115
    return (folder / "environ").read_bytes(), open_files


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody but root looks into it")
def test_it_has_no_key_no_secret_and_no_file_of_who_started_it(
    make_video, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim-4711")
    key = tmp_path / "signing.key"
    key.write_text("AGE-SECRET-KEY-4711")
    path = make_video()
    with key.open() as held, open_source(str(path)) as source:
        os.set_inheritable(held.fileno(), True)
        environment, files = environment_and_files(child_of(source))
        memory = memory_of(child_of(source))
    names = {one.partition(b"=")[0] for one in environment.split(b"\0") if one}
    assert names - {b"LD_LIBRARY_PATH"} == {b"MALLOC_ARENA_MAX", b"GLIBC_TUNABLES"}
    assert b"geheim" not in environment
    kinds = {re.sub(r"\[.*|:.*", "", one.removesuffix(" (deleted)")) for one in files}
    assert kinds == {"/dev/null", "socket", "/memfd", str(path)}
    assert b"geheim-4711" not in memory
    assert b"AGE-SECRET-KEY-4711" not in memory
    assert str(path).encode() in memory  # so that something would be found


def test_its_command_line_names_no_source(make_video) -> None:
    path = make_video("geheim.avi")
    with open_source(str(path)) as source:
        line = Path(f"/proc/{child_of(source)}/cmdline").read_bytes()
        assert b"geheim" not in line


def test_a_list_reaches_no_other_file(make_video, tmp_path) -> None:
    """What FFmpeg itself opens: here it does, and in the sandbox it does not."""
    segment, hls = tmp_path / "segment.ts", tmp_path / "list.m3u8"
    command = ["ffmpeg", "-v", "error", "-i", str(make_video()), "-c:v", "mpeg2video", "-r", "25"]
    subprocess.run([*command, str(segment)], check=True)
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:5", "#EXTINF:2.0,", segment.name, "#EXT-X-ENDLIST"]
    hls.write_text("\n".join(lines))
    inside = open_media(str(hls), sandbox=False)
    assert inside.read() is not None
    inside.close()
    with pytest.raises(NoVideoError):
        open_media(str(hls))


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_recording_whose_process_dies_keeps_what_came_before(make_video, reports, number) -> None:
    with open_source(str(make_video(frames=60))) as source:
        frames = [next(source) for _ in range(5)]
        os.kill(child_of(source), number)
        frames += list(source)
    assert 5 <= len(frames) < 20  # of 60
    assert [frame.index for frame in frames] == list(range(len(frames)))
    (report,) = reports
    assert f"broke off after {len(frames)} frames" in report
    assert f"was ended by {number.name}" in report


def test_a_camera_whose_process_dies_is_connected_again(make_video, reports) -> None:
    path, readers = make_video(), []

    def connect() -> Sandboxed:
        reader = open_media(str(path))
        assert isinstance(reader, Sandboxed)
        readers.append(reader)
        if len(readers) == 1:
            os.kill(reader._process.pid, signal.SIGKILL)
        return reader

    with Live(connect, "camera", sleep=lambda _: len(readers) > 1) as source:
        frames = list(frames_of(source))
    assert frames
    assert "gives no video yet: the process that parses it was ended by SIGKILL" in reports[0]
    assert readers[0]._process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("path", ["/dev/stdin", "/dev/fd/{0}", "/proc/self/fd/{0}"])
def test_a_path_may_stand_for_an_open_file(make_video, path) -> None:
    code = f"""
        import os, sys
        sys.path[:0] = [{str(ROOT)!r}]
        from sealshot.runtime.sources import open_source
        with open_source(sys.argv[1].format(os.dup(0))) as source:
            print(len(list(source)))
    """
    with make_video().open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), path],
            stdin=file,
            capture_output=True,
            text=True,
        )
    assert (done.stdout, done.stderr) == ("20\n", "")


def test_who_reads_slowly_gets_all_of_it_too(make_video, reports) -> None:
    with open_source(str(make_video(frames=8))) as source:
        frames = [frame for frame in frames_of(source) if time.sleep(0.05) is None]
    assert len(frames) == 8
    assert reports == []


def test_no_process_and_no_file_is_left(make_video) -> None:
    path = make_video()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with open_source(str(path)) as source:
        next(source)
        pid = child_of(source)
    assert not Path(f"/proc/{pid}").exists()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_signals_of_the_terminal_are_for_who_started_it(make_video) -> None:
    with open_source(str(make_video(frames=60))) as source:
        pid = child_of(source)
        assert os.getsid(pid) == pid != os.getsid(0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            os.kill(pid, number)
        assert len(list(source)) == 60


@pytest.fixture
def early() -> process.Begun:
    """A process that waits for the next request."""
    process.begin_early()
    (queue,) = process._early
    begun = queue.get(timeout=30)
    assert begun is not None
    queue.put(begun)
    return begun


def test_the_one_that_was_started_early_reads_what_is_opened_next(early, make_video) -> None:
    with open_source(str(make_video(frames=3))) as source:
        assert child_of(source) == early.process.pid
        assert process._early == []
        assert len(list(source)) == 3


def test_one_that_was_started_early_and_ended_is_not_taken(early, make_video) -> None:
    early.process.kill()
    early.process.wait()
    with open_source(str(make_video(frames=3))) as source:
        assert child_of(source) != early.process.pid
        assert len(list(source)) == 3


def test_one_that_nobody_needed_is_ended(early) -> None:
    process.dismiss()
    assert (early.process.returncode, process._early) == (-signal.SIGKILL, [])


def test_run_leaves_none_that_it_started_early(monkeypatch) -> None:
    started = []
    monkeypatch.setattr(process, "start", lambda *_: started.append(1) or subprocess.Popen("true"))
    assert main(["run", "/no/such.mp4", "--to", "age1", "--vault", "v"]) == 2
    assert (started, process._early) == ([1], [])


READS = """
    from sealshot.runtime.sources import open_source
    source = open_source(sys.argv[1])
    print(source._reader._process.pid, flush=True)
"""
STILL_LOADS = """
    import os
    from sealshot.runtime.sandbox import process
    loads = "import os, time; os.write(int(sys.argv[1]), b'.'); time.sleep(60); from sealshot"
    process.BOOT = process.BOOT.replace("from sealshot", loads)
    here, there = os.pipe()
    pid = process.start(there, os.open(os.devnull, os.O_RDWR)).pid
    os.read(here, 1)
    print(pid, flush=True)
"""


@pytest.mark.parametrize("code", [READS, STILL_LOADS], ids=["reads", "still loads"])
def test_nobody_is_left_where_who_started_it_was_killed(code: str, make_video) -> None:
    code = f"import sys; sys.path[:0] = [{str(ROOT)!r}]\n{textwrap.dedent(code)}\nsys.stdin.read()"
    started = subprocess.Popen(
        [sys.executable, "-c", code, str(make_video(frames=60))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert started.stdout is not None
    pid = int(started.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    started.kill()
    started.communicate()
    until = time.monotonic() + 10
    while _lives(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_it_lives_on_where_the_thread_that_opened_it_ends(make_video) -> None:
    opened = []
    path = str(make_video(frames=60))
    thread = threading.Thread(target=lambda: opened.append(open_source(path)))
    thread.start()
    thread.join()
    with opened[0] as source:
        assert len(list(source)) == 60


def test_the_memory_cannot_be_taken_away_under_who_reads_it(make_video) -> None:
    with open_source(str(make_video())) as source:
        memory = source._reader._memory
        with pytest.raises(PermissionError):
            os.ftruncate(memory, 0)
        with pytest.raises(PermissionError):
            os.ftruncate(memory, mmap.PAGESIZE)


def test_nobody_seals_the_memory_before_it_is_used(monkeypatch) -> None:
    """What is sealed before it has its size never gets one."""
    seals: list[int] = []

    def start(_line: int, memory: int, _: object) -> subprocess.Popen[bytes]:
        seals.append(fcntl.fcntl(memory, apart.GET_SEALS))
        raise OSError(errno.ENOENT, "no such program")

    monkeypatch.setattr(process, "start", start)
    with pytest.raises(NoVideoError, match="does not start"):
        open_media("/no/such/file")
    assert seals == [process.SEALS]


def test_no_memory_and_no_descriptor_is_no_defect(make_video) -> None:
    """Limits that this machine sets are told, and a camera is connected again.

    In a program of its own: threads and files that other tests left would change the counts.
    """
    code = """
        import os, resource, sys
        from sealshot.runtime.sources import open_source
        from sealshot.runtime.sources.media import open_media
        from sealshot.runtime.sources.reader import NoVideoError

        def limit(which, most):
            resource.setrlimit(which, (most, resource.getrlimit(which)[1]))

        def fails(doing):
            try:
                doing()
            except NoVideoError as error:
                print(error)
            else:
                print("nothing")

        path = sys.argv[1]
        with open_source(path) as source:
            limit(resource.RLIMIT_FSIZE, 4096)
            reader = open_media(path)
            fails(reader.read)
            reader.close()
            print(len(list(source)))
        limit(resource.RLIMIT_FSIZE, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        before = len(os.listdir("/proc/self/fd"))
        os.close(free := os.dup(0))
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        for more in range(4):
            limit(resource.RLIMIT_NOFILE, free + more)
            fails(lambda: open_media(path))
            limit(resource.RLIMIT_NOFILE, most)
        print(len(os.listdir("/proc/self/fd")) - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(make_video())],
        capture_output=True,
        text=True,
    )
    first, frames, *others, left = done.stdout.splitlines()
    assert "no memory for its pictures" in first
    assert (frames, left, done.stderr) == ("20", "0", "")
    assert len(others) == 4
    assert all("does not start: Too many open files" in line for line in others)


@pytest.mark.parametrize(
    "message",
    [
        Guards(True, False),
        Opened(True, False, b"h264".ljust(32, b"\0"), 25.0, 1.5, -1, 0.0),
        Refused(True, False, b"x".ljust(200, b"\0"), b"".ljust(200, b"\0")),
        Need(77),
        Shown(4, 3, 12, 0, raw=Raw(b"gray".ljust(16, b"\0"), 4, 3, 1, 2, 3, 4, ((12, 4),))),
        Ended(3, True),
    ],
)
def test_messages_come_back_as_they_were(message) -> None:
    assert unpack(pack(message)) == message
    for other in (pack(message)[:-1], pack(message) + b"\0", b""):
        with pytest.raises(MessageError):
            unpack(other)


def test_frames_are_those_of_a_decoder_in_this_process(make_video) -> None:
    path = str(make_video(frames=30, size=(67, 51)))
    with open_source(path) as source, open_source(path, sandbox=False) as inside:
        for one, other in zip(source, inside, strict=True):
            assert isinstance(one, Frame)
            assert isinstance(other, Frame)
            assert (one.index, one.time_s) == (other.index, other.time_s)
            assert np.array_equal(one.image, other.image)
            assert one.decoded is not None
            assert other.decoded is not None
            ours, theirs = (as_raw(frame.decoded) for frame in (one, other))
            assert ours.turn == theirs.turn
            assert np.array_equal(ours.frame.to_ndarray(), theirs.frame.to_ndarray())


def test_frames_hold_what_was_decoded_only_where_it_is_wanted(make_video) -> None:
    for sandbox in (True, False):
        with open_source(str(make_video()), decoded=False, sandbox=sandbox) as source:
            assert all(frame.decoded is None for frame in frames_of(source))
