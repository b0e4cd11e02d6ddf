"""Cameras that vanish and come back, told by captures and a clock of our own."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pytest

from sealshot.runtime.errors import InputError, SourceError
from sealshot.runtime.sources import frames_of, open_source
from sealshot.runtime.sources.capture import as_bgr
from sealshot.runtime.sources.live import JITTER, Live, delays, reconnecting
from sealshot.runtime.sources.reader import NoVideoError, Picture
from sealshot.runtime.sources.source import HEARTBEAT_S
from sealshot.runtime.types import Heartbeat


class Camera:
    """A reader that gives ``frames`` pictures, a frame period apart on a clock, and then dies."""

    fps, frames, end_s, damaged, moves, created = 25.0, None, None, 0, True, None

    def __init__(self, world: World, frames: int, width: int = 4) -> None:
        self.world, self.left, self.width = world, frames, width
        self.released = False

    def read(self) -> Picture | None:
        assert not self.released
        self.left -= 1
        self.world.now += 0.04
        if self.left < 0:
            return None
        return Picture(np.full((4, self.width, 3), self.left % 200 + 50, np.uint8), None)

    def interrupt(self) -> None: ...

    def close(self) -> None:
        self.released = True


class World:
    """A clock that only moves when a camera works or somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.slept.append(seconds)
        self.now += seconds
        return False


@pytest.fixture
def world() -> World:
    return World()


def connections(cameras):
    """Connect to one camera after the other; None is away, and so is what comes after the last."""
    left = iter(cameras)

    def connect() -> Camera:
        camera = next(left, None)
        if camera is None:
            raise NoVideoError("connection refused")
        return camera

    return connect


def run(world, captures, reports, *, count=None, give_up_after_s=None, sleep=None):
    images = reconnecting(
        connections(captures),
        "cam",
        give_up_after_s=give_up_after_s,
        clock=world.clock,
        sleep=sleep or world.sleep,
    )
    images = ((world.now, image) for image in images if image is not None)
    return list(itertools.islice(images, count))


def test_delays_double_up_to_the_longest() -> None:
    for got, most in zip(delays(), [1, 2, 4, 8, 16, 30, 30, 30], strict=False):
        assert most * (1 - JITTER) <= got <= most


def test_a_camera_that_vanishes_is_connected_again_with_back_off(world, reports) -> None:
    cameras = [Camera(world, 3), None, None, None, Camera(world, 2), Camera(world, 2)]
    got = run(world, cameras, reports, count=7)
    assert len(got) == 7
    times = [t for t, _ in got]
    assert times == sorted(times)
    steps = [round(s, 2) for s in np.diff(times)]
    away = sum(world.slept[:4])
    assert steps == pytest.approx(
        [0.04, 0.04, away + 0.08, 0.04, world.slept[4] + 0.08, 0.04], abs=0.01
    )
    for got_s, most in zip(world.slept, [1, 2, 4, 8, 1], strict=True):  # a frame starts it anew
        assert most * (1 - JITTER) <= got_s <= most
    assert [r.partition(";")[0].partition(" after")[0] for r in reports] == [
        "cam gives no more frames",
        *["cam still gives no frame: connection refused"] * 3,
        "cam is back",
        "cam gives no more frames",
        "cam is back",
    ]
    assert all(c.released for c in cameras[:5] if c)


def test_a_connection_without_a_frame_is_a_failure_too(world, reports) -> None:
    cameras = [Camera(world, 1), Camera(world, 0), Camera(world, 0), Camera(world, 1)]
    assert len(run(world, cameras, reports, count=2)) == 2
    for got_s, most in zip(world.slept, [1, 2, 4], strict=True):
        assert most * (1 - JITTER) <= got_s <= most
    assert cameras[1].released
    assert cameras[2].released


def test_it_gives_up_when_told_to(world, reports) -> None:
    with pytest.raises(SourceError, match="no frame for") as caught:
        run(world, [Camera(world, 2)], reports, give_up_after_s=100)
    assert 100 <= world.now - 1000.08 < 135  # since its second frame
    assert caught.value.exit_code == 1
    assert caught.value.hint


def test_it_stops_when_the_sleep_says_so(world, reports) -> None:
    naps = iter([False, False, True])
    cameras = [Camera(world, 2)]
    assert len(run(world, cameras, reports, sleep=lambda _: next(naps))) == 2
    assert next(naps, None) is None


class Paced(Camera):
    """A camera on the real clock: hands out a frame for each permit."""

    def __init__(self, permits: threading.Semaphore, frames: int = 10**9, width: int = 4) -> None:
        super().__init__(World(), frames, width)
        self.permits, self.given = permits, 0

    def read(self) -> Picture | None:
        if not self.permits.acquire(timeout=5):
            return None
        self.given += 1
        return super().read()


def until(condition, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def camera_threads() -> int:
    return sum(t.name == "sealshot-camera" for t in threading.enumerate())


def test_only_the_newest_frame_is_kept_and_the_dropped_are_counted(reports) -> None:
    permits = threading.Semaphore(1)
    camera = Paced(permits)
    with Live(lambda: camera, "cam") as source:
        assert (source.live, source.frames, source.fps) == (True, None, 25.0)
        assert next(source).index == 0
        permits.release(5)
        until(lambda: source.dropped == 4)
        frame = next(source)
        assert frame.index == 5
        permits.release()
        assert next(source).index == 6
        assert source.dropped == 4
        permits.release(2)
    assert camera.released
    assert camera_threads() == 0
    assert list(source) == []


def test_times_are_the_clock_at_arrival(reports) -> None:
    permits = threading.Semaphore(1)
    with Live(lambda: Paced(permits), "cam") as source:
        assert next(source).time_s == 0
        time.sleep(0.1)
        permits.release()
        assert 0.09 < next(source).time_s < 1
        permits.release()  # lets the reader go


class Stalled(Camera):
    """A camera on the real clock whose line holds back half a second and then gives it at once."""

    def read(self) -> Picture | None:
        picture = super().read()
        if picture is None:
            return None
        time.sleep(0.5 if self.left == 5 else 0.005)
        return Picture(picture.pixels, 0.1 * (10 - self.left))


def test_frames_that_come_at_once_after_a_stall_keep_their_distance(reports) -> None:
    with Live(connections([Stalled(World(), 10)]), "cam", sleep=lambda _: True) as source:
        frames = list(frames_of(source))
    times = [frame.time_s for frame in frames]
    assert times == sorted(times)
    after = [frame for frame in frames if frame.index >= 5]
    steps = after[-1].index - after[0].index
    assert after[-1].time_s - after[0].time_s == pytest.approx(0.09 * steps, abs=0.03)


def test_indexes_run_on_after_an_outage_which_is_told(reports) -> None:
    connect = connections([Camera(World(), 1), None, Camera(World(), 1, width=8)])

    def sleep(_: float) -> bool:
        time.sleep(0.2)
        return False

    with Live(connect, "cam", sleep=sleep, give_up_after_s=0.5) as source:
        given = frames_of(source)
        frames = [next(given), next(given)]
        with pytest.raises(SourceError):
            next(given)
    assert [f.index for f in frames] == [0, 1]
    assert frames[0].time_s < frames[1].time_s
    assert sum("is back" in r for r in reports) == 1
    assert sum("from 4x4 to 8x4" in r for r in reports) == 1


def test_close_during_an_outage_returns_at_once(reports) -> None:
    source = Live(connections([Paced(threading.Semaphore(9), 2)]), "cam")
    threading.Timer(0.3, source.close).start()
    start = time.monotonic()
    assert len(list(source)) >= 1
    assert time.monotonic() - start < 1.0  # although the next attempt was further away
    until(lambda: camera_threads() == 0)
    assert "gives no more frames" in reports[0]


def test_a_camera_that_is_away_at_the_start_is_waited_for(world, reports) -> None:
    cameras = [None, Camera(world, 0), None, Camera(world, 2)]
    assert len(run(world, cameras, reports, count=2)) == 2
    assert len(world.slept) == 3
    assert reports[0].startswith("cam gives no video yet: connection refused; connecting again")
    assert "is back after" in reports[-1]
    with pytest.raises(SourceError, match=r"no frame for .*: connection refused"):
        run(world, [], reports, give_up_after_s=100)


def test_an_outage_is_told_more_and_more_seldom(world, reports) -> None:
    with pytest.raises(SourceError):
        run(world, [], reports, give_up_after_s=7 * 86400)
    assert 20 < len(reports) < 200  # not 20,000: one for each attempt


def test_what_waiting_does_not_cure_is_an_input_error_at_the_start_only(world, reports) -> None:
    def locked_out() -> Camera:
        raise NoVideoError("401 unauthorized", "check user and password", lasting=True)

    with pytest.raises(InputError, match="cam gives no video: 401") as caught:
        Live(locked_out, "cam")
    assert caught.value.hint == "check user and password"
    later = iter([lambda: Camera(world, 1), locked_out, lambda: Camera(world, 1)])
    images = reconnecting(
        lambda: next(later)(), "cam", give_up_after_s=None, clock=world.clock, sleep=world.sleep
    )
    assert len(list(itertools.islice((i for i in images if i is not None), 2))) == 2


def test_time_runs_while_a_camera_is_waited_for(reports) -> None:
    with Live(connections([]), "cam", sleep=lambda s: time.sleep(0.1)) as source:
        items = [next(source) for _ in range(3)]
    assert all(isinstance(item, Heartbeat) for item in items)
    assert items[0].time_s == 0
    assert items[2].time_s > items[1].time_s > 0.8 * HEARTBEAT_S


def test_a_defect_in_the_reader_is_not_swallowed(reports) -> None:
    class Bad(Camera):
        def read(self) -> Picture | None:
            if self.left == 2:
                as_bgr(np.zeros((4, 4, 3), np.float32))
            return super().read()

    with (
        Live(lambda: Bad(World(), 3), "cam") as source,
        pytest.raises(InputError, match="float32"),
    ):
        list(source)


@pytest.mark.parametrize("spec", ["97", "/dev/video97"])
def test_a_device_that_is_not_there_is_waited_for_and_named(reports, capfd, spec) -> None:
    with (
        open_source(spec, give_up_after_s=0.1) as source,
        pytest.raises(SourceError, match="no fr"),
    ):
        list(source)
    assert "there is no /dev/video97" in reports[0]
    assert capfd.readouterr() == ("", "")


def test_a_device_that_is_no_camera_is_refused() -> None:
    with pytest.raises(InputError, match="/dev/null is a device, but no camera"):
        open_source("/dev/null")


@pytest.mark.parametrize("option", [{"fps": 5.0}, {"loop": True}])
def test_options_of_recordings_are_refused_for_cameras(reports, option) -> None:
    with pytest.raises(InputError, match="is live"):
        open_source("0", **option)


def test_who_waits_learns_of_a_picture_or_that_a_heartbeat_is_due() -> None:
    shown, over = threading.Semaphore(0), threading.Event()

    class Slow(Camera):
        def read(self) -> Picture | None:
            shown.acquire()
            return None if over.is_set() else super().read()

    with Live(connections([Slow(World(), 9)]), "cam") as live:
        assert isinstance(next(live), Heartbeat)
        began_s = time.monotonic()
        assert not live.wait()
        assert isinstance(next(live), Heartbeat)
        assert HEARTBEAT_S * 0.9 < time.monotonic() - began_s < HEARTBEAT_S * 1.9
        shown.release()
        while not live.wait():
            assert isinstance(next(live), Heartbeat)
        assert next(live).index == 0
        over.set()
        shown.release()
