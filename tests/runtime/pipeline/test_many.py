"""Cameras side by side: each as if alone, and none in the way of another."""

from __future__ import annotations

import threading

import pytest

from sealshot.runtime.errors import SourceError
from sealshot.runtime.pipeline.many import Camera, watch_many
from sealshot.runtime.pipeline.sinks import Sink
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.pipeline.watch import watch

SCRIPTS = [
    [(i / 10, 2) for i in range(20)],
    [(0.0, 1), (0.5, None), (0.9, 1), (1.2, None)],
    [(i / 25, 0) for i in range(5)],
]


class Entries(Sink):
    """What a camera gave: when, and who was due."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, float, tuple[int, ...]]] = []
        self.ended = threading.Event()

    def seen(self, seen) -> None:
        self.entries.append(("seen", seen.frame.time_s, tuple(shot.track for shot in seen.due)))

    def beat(self, beat) -> None:
        self.entries.append(("beat", beat.time_s, tuple(shot.track for shot in beat.due)))

    def end(self, end) -> None:
        self.entries.append(("end", -1.0, tuple(shot.track for shot in end.due)))
        self.ended.set()


@pytest.fixture
def camera(script, stages):
    def make(items, *more):
        entries = Entries()
        return Camera(script(*items), stages(), [entries, *more]), entries

    return make


def test_each_camera_gives_what_it_gives_alone(script, stages, camera) -> None:
    cameras, diaries = zip(*map(camera, SCRIPTS), strict=True)
    done = watch_many(cameras)
    assert [each.frames for each in done] == [20, 2, 5]
    assert not any(each.interrupted or each.failure for each in done)
    for items, diary in zip(SCRIPTS, diaries, strict=True):
        alone = Entries()
        watch(script(*items), stages(), [alone])
        assert diary.entries == alone.entries


def test_a_camera_that_fails_costs_the_others_nothing(camera) -> None:
    lost = SourceError("the camera went away")
    broken, its_diary = camera([(0.0, 1), (0.1, 1), lost])
    sound, diary = camera(SCRIPTS[0])
    first, second = watch_many([broken, sound])
    assert first.failure is lost
    assert its_diary.entries[-1] == ("end", -1.0, (1,))
    assert (second.frames, second.failure) == (20, None)
    assert diary.entries[-1] == ("end", -1.0, (1, 2))


def test_a_camera_that_hangs_holds_up_no_other(camera) -> None:
    forever, stop = threading.Event(), Stop()
    hanging, its_diary = camera([(0.0, 1), forever.wait, (9.0, 1)])
    hanging.source.close = forever.set
    sound, diary = camera(SCRIPTS[0])

    def stop_when_the_other_has_ended() -> None:
        assert diary.ended.wait(60)
        assert not its_diary.ended.is_set()
        stop.set()

    threading.Thread(target=stop_when_the_other_has_ended).start()
    first, second = watch_many([hanging, sound], stop)
    assert (first.interrupted, second.interrupted) == (True, False)
    assert its_diary.entries == [("seen", 0.0, ()), ("end", -1.0, (1,))]
    assert second.frames == 20


def test_a_defect_in_one_is_raised_when_all_have_ended(camera) -> None:
    class Broken(Sink):
        def seen(self, _) -> None:
            raise ZeroDivisionError

    faulty, _ = camera(SCRIPTS[1], Broken())
    sound, diary = camera(SCRIPTS[0])
    with pytest.raises(ZeroDivisionError):
        watch_many([faulty, sound])
    assert diary.entries[-1] == ("end", -1.0, (1, 2))
    assert len(diary.entries) == 21


def test_stop_ends_all(camera) -> None:
    stop, forever, both_run = Stop(), threading.Event(), threading.Event()

    class Stopper(Sink):
        def seen(self, seen) -> None:
            if seen.frame.index == 3:
                assert both_run.wait(60)
                stop.set()

    class Reporter(Sink):
        def seen(self, _) -> None:
            both_run.set()

    waiting, its_diary = camera([(0.0, 1), forever.wait], Reporter())
    waiting.source.close = forever.set
    seen, diary = camera([*SCRIPTS[0][:5], forever.wait], Stopper())
    seen.source.close = forever.set
    done = watch_many([seen, waiting], stop)
    assert all(each.interrupted for each in done)
    assert diary.entries[-1] == ("end", -1.0, (1, 2))
    assert its_diary.entries[-1] == ("end", -1.0, (1,))
