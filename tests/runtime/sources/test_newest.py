"""Of a camera only what is asked for is given, and all is counted."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest
from http_camera import FPS, Camera
from test_source_live import Camera as Fake
from test_source_live import World, until

from sealshot.benchmarks.speed.throughput.players import playing
from sealshot.runtime.planes import bgr_of
from sealshot.runtime.sources import frames_of, open_source
from sealshot.runtime.sources.live import Live
from sealshot.runtime.sources.media import open_media
from sealshot.runtime.sources.newest import Newest
from sealshot.runtime.sources.reader import Coming, Picture
from sealshot.runtime.sources.source import HEARTBEAT_S
from sealshot.runtime.sources.waiting import Waiting
from sealshot.runtime.types import Frame, Heartbeat


def newest(camera: Camera) -> Newest:
    media = open_media(f"http://{camera.address}/live")
    return Newest(media)


def is_picture(picture: Picture, number: int) -> bool:
    """Whether it is that picture of the camera, by its grey."""
    return abs(float(bgr_of(picture.pixels).mean()) - number) < 1


def test_what_nobody_asks_for_is_only_told_of(camera) -> None:
    reader, count, came = newest(camera), 0, []
    while len(came) < 30:
        read = reader.read()
        count += 1
        if isinstance(read, Coming):
            came.append(read)
        else:
            assert count < 4  # what was made before it was told
            assert is_picture(read, count - 1)
    came[-1].ask(False)
    while not isinstance(read := reader.read(), Picture):
        count += 1
    assert is_picture(read, count - 1)
    reader.close()


def test_who_asks_before_there_is_a_new_one_gets_the_next_one(camera) -> None:
    reader, count = newest(camera), 0
    while not isinstance(coming := reader.read(), Coming):
        count += 1
    for _ in range(10):
        coming.ask(False)
        while not isinstance(read := reader.read(), Picture):
            count += 1
        assert is_picture(read, count)  # that of the first one was told and is counted below
    reader.close()


def test_the_neighbour_of_what_was_given_is_kept(camera) -> None:
    reader, count, came = newest(camera), 0, []
    while len(came) < 10:
        read = reader.read()
        count += 1
        came += [read] if isinstance(read, Coming) else []
    came[-1].ask(False)
    while not isinstance(first := reader.read(), Picture):
        count += 1
    for _ in range(10):  # more of them come
        assert isinstance(reader.read(), Coming)
    came[-1].ask(True)
    while not isinstance(second := reader.read(), Picture):
        pass
    assert is_picture(first, count - 1)
    assert is_picture(second, count)
    reader.close()


@pytest.mark.parametrize("camera", [(12,)], indirect=True)
def test_the_last_picture_outlives_its_stream(camera) -> None:
    reader, told = newest(camera), []
    for _ in range(12):
        told.append(reader.read())
    time.sleep(10 / FPS)  # the stream has ended
    assert isinstance(told[-1], Coming)
    told[-1].ask(False)
    last = reader.read()
    assert isinstance(last, Picture)
    assert is_picture(last, 11)
    assert reader.read() is None
    reader.close()


def test_indexes_count_what_was_passed_over(camera) -> None:
    with open_source(f"http://{camera.address}/live") as source:
        frames = []
        for frame in frames_of(source):
            frames.append(frame)
            time.sleep(0.1)
            if len(frames) == 10:
                break
        for frame in frames:
            assert is_picture(Picture(frame.image, None), frame.index)
        assert frames[-1].index > 25
        assert source.dropped >= frames[-1].index + 1 - len(frames)


class Asked(Fake):
    """A camera that gives what a test puts into its queue."""

    def __init__(self) -> None:
        super().__init__(World(), 0)
        self.next: queue.Queue[Picture | Coming | None] = queue.Queue()
        self.asked: list[bool] = []

    def read(self) -> Picture | Coming | None:
        return self.next.get(timeout=5)

    def comes(self) -> None:
        def ask(neighbour: bool) -> None:
            self.asked.append(neighbour)

        self.next.put(Coming(None, ask))

    def gives(self, level: int) -> None:
        image = Fake(World(), level - 50 + 1).read().pixels
        self.next.put(Picture(image, None))


def test_a_live_source_asks_once_and_only_while_somebody_waits() -> None:
    camera = Asked()
    for _ in range(3):
        camera.comes()
    with Live(lambda: camera, "cam") as source:
        until(lambda: source.dropped == 2)
        assert camera.asked == []
        assert isinstance(next(source), Heartbeat)  # it was asked for, and did not come so soon
        assert camera.asked == [False]
        camera.comes()  # the one that was asked for gives way to it
        camera.gives(60)
        frame = next(source)
        assert isinstance(frame, Frame)
        assert (frame.index, source.dropped) == (3, 3)
        assert camera.asked == [False, True]  # behind a gap its neighbour, before there is one
        assert isinstance(next(source), Heartbeat)
        for _ in range(3):
            camera.comes()
        until(lambda: source.dropped == 4)
        camera.gives(61)
        frame = next(source)
        assert isinstance(frame, Frame)
        assert (frame.index, int(frame.image.mean()), source.dropped) == (4, 61, 4)
        threading.Timer(HEARTBEAT_S / 2, camera.gives, [62]).start()
        frame = next(source)
        assert isinstance(frame, Frame)
        assert (frame.index, int(frame.image.mean()), camera.asked[2:]) == (6, 62, [False, True])
        camera.next.put(None)


def test_what_comes_for_nobody_gives_way_to_what_is_newer() -> None:
    camera = Asked()
    camera.comes()
    with Live(lambda: camera, "cam") as source:
        assert isinstance(next(source), Heartbeat)
        camera.gives(60)
        camera.comes()
        until(lambda: source.dropped == 1)
        threading.Timer(HEARTBEAT_S / 2, camera.gives, [61]).start()
        frame = next(source)
        assert isinstance(frame, Frame)
        assert (frame.index, int(frame.image.mean()), camera.asked) == (1, 61, [False, False, True])
        camera.next.put(None)


@pytest.fixture(scope="module")
def between(tmp_path_factory) -> Path:
    """Return a clip of which two thirds are pictures that no other one refers to."""
    path = tmp_path_factory.mktemp("clip") / "b.mp4"
    options = {"bf": "2", "x264-params": "b-adapt=0:b-pyramid=0:keyint=60:scenecut=0"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(60):
            image = np.full((48, 64, 3), 20 + 3 * index, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        out.mux(stream.encode(None))
    return path


def heard(reader: Newest, seconds: float, *, ask: bool) -> list[int]:
    """Return how many pictures were skipped before each that was told of."""
    skipped, until_s = [], time.monotonic() + seconds
    while time.monotonic() < until_s:
        read = reader.read()
        if isinstance(read, Coming):
            skipped.append(read.skipped)
            if ask:
                read.ask(False)
                while not isinstance(read := reader.read(), Picture):
                    skipped.append(read.skipped)
    return skipped


def test_of_a_camera_far_behind_what_no_other_picture_needs_is_not_decoded(between) -> None:
    with playing([between], 25) as (address,):
        reader = Newest(open_media(address, decoded=False))
        heard(reader, 2.5, ask=False)
        skipped = heard(reader, 3.0, ask=False)
        assert sum(skipped) == pytest.approx(50, abs=10)  # of 75
        assert len(skipped) + sum(skipped) == pytest.approx(75, abs=8)
        heard(reader, 2.5, ask=True)
        skipped = heard(reader, 1.0, ask=True)  # it keeps up again
        assert sum(skipped) == 0
        assert len(skipped) == pytest.approx(25, abs=8)
        reader.close()


def test_a_public_stream_gets_all_that_can_be_had(between) -> None:
    with playing([between], 25) as (address,):
        reader = Newest(open_media(address))
        assert sum(heard(reader, 3.0, ask=False)) == 0
        reader.close()


def test_indexes_count_what_was_not_decoded() -> None:
    picture, waiting = Fake(World(), 1).read(), Waiting()
    taken = []
    for skipped in (0, 2, 2, 2):
        waiting.add(0.0, picture, skipped)
        taken.append(waiting.take())
    assert [one.index for one in taken] == [0, 3, 6, 9]
    assert waiting.dropped == 6


@pytest.mark.parametrize(
    ("taken_at", "given"),
    [
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
        ([0, 3, 5, 9, 12, 13], [0, 3, 4, 9, 10, 13]),  # each that follows a gap, and its neighbour
        ([2, 2, 4], [2, None, 3]),
    ],
)
def test_what_waits_is_given_in_pairs(taken_at: list[int], given: list[int | None]) -> None:
    picture = Fake(World(), 1).read()
    waiting, count, taken = Waiting(), 0, []
    for at in taken_at:
        while count <= at:
            waiting.add(0.1 * count, picture)
            count += 1
        entry = waiting.take()
        taken.append(entry and entry.index)
        assert waiting.dropped <= count - len([one for one in taken if one is not None])
    assert taken == given


def test_what_was_to_come_of_a_connection_that_ended_is_dropped() -> None:
    first, second = Asked(), Asked()
    first.comes()
    first.next.put(None)
    second.gives(70)
    cameras = iter([first, second])
    with Live(lambda: next(cameras), "cam", sleep=lambda _: False) as source:
        frame = next(frames_of(source))
        assert (frame.index, int(frame.image.mean()), source.dropped) == (1, 70, 1)
        assert second.asked == []
        second.next.put(None)
