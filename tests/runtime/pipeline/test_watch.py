"""The loop: everything in order to every sink, time without frames, and every way to end."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import av
import pytest

from sealshot.runtime.errors import SealshotError, SourceError
from sealshot.runtime.pipeline.settings import Emit
from sealshot.runtime.pipeline.sinks import Seen, Sink
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.pipeline.watch import watch

TWO_IN_VIEW = [(i / 10, 2) for i in range(20)]


class Breaking(Sink):
    """Fails once it is given what a test names."""

    def __init__(self, where: str, error: BaseException) -> None:
        self._where, self._error = where, error
        self.calls: list[str] = []

    def _take(self, what: str) -> None:
        self.calls.append(what)
        if what == self._where:
            raise self._error

    def seen(self, _) -> None:
        self._take("seen")

    def beat(self, _) -> None:
        self._take("beat")

    def end(self, _) -> None:
        self._take("end")


def test_frames_heartbeats_and_the_end_come_in_order(script, stages, diary) -> None:
    source = script((0.0, 1), (0.5, None), (0.9, 1), (1.2, None))
    done = watch(source, stages(), [diary])
    assert diary.entries == [
        ("seen", 0.0, ()),
        ("beat", 0.5, ()),
        ("seen", 0.9, ()),
        ("beat", 1.2, ()),
        ("end", -1.0, (1,)),
    ]
    assert (done.frames, done.interrupted, done.failure) == (2, False, None)
    assert diary.last.people == 1
    assert diary.last.ended == (1,)


def test_who_left_is_due_although_no_frame_comes(script, stages, diary) -> None:
    beats = [(1.9 + i / 2, None) for i in range(1, 6)]
    made = stages()
    watch(script(*TWO_IN_VIEW, *beats), made, [diary])
    due = [entry for entry in diary.entries if entry[2]]
    assert due == [("beat", 3.4, (1, 2))]  # a second after they were seen last, and no later
    assert made.engine.ended == [1, 2]  # which may remember each track


def test_who_is_due_timely_is_although_no_frame_comes(script, stages, diary) -> None:
    source = script((0.0, 1), (0.1, 1), (0.6, None), (0.9, None), (1.05, None))
    watch(source, stages(Emit("timely", 0.8)), [diary])
    assert [entry for entry in diary.entries if entry[2]] == [("beat", 0.9, (1,))]


def test_a_short_silence_ends_nobody(script, stages, diary) -> None:
    silence = [(2.0 + i / 10, None) for i in range(8)]
    watch(script(*TWO_IN_VIEW, *silence, (2.8, 2)), stages(), [diary])
    assert diary.last.people == 2


def test_it_ends_after_some_time_of_the_source(script, stages, diary) -> None:
    source = script((0.0, 1), (0.5, 1), (1.0, None), (1.5, 1))
    done = watch(source, stages(), [diary], stop_after_s=1.0)
    assert [entry[:2] for entry in diary.entries[:-1]] == [
        ("seen", 0.0),
        ("seen", 0.5),
        ("beat", 1.0),
    ]
    assert not done.interrupted


def test_no_frame_in_all_of_that_time_is_a_failure(script, stages, diary) -> None:
    beats = [(i / 2, None) for i in range(5)]
    done = watch(script(*beats), stages(), [diary], stop_after_s=1.0)
    assert isinstance(done.failure, SourceError)
    assert "no picture came in 1 s" in done.failure.fact
    assert [kind for kind, *_ in diary.entries] == ["beat", "beat", "beat", "end"]


@pytest.mark.parametrize("wanted", [True, False])
def test_pictures_as_decoded_are_for_sinks_that_want_them(script, stages, wanted) -> None:
    decoded = av.VideoFrame(300, 100, "yuv420p")
    taken = []

    class Taking(Sink):
        wants_decoded = wanted

        def seen(self, seen: Seen) -> None:
            taken.append(seen.frame.decoded)

    source = script(*TWO_IN_VIEW[:3])
    items = [replace(item, decoded=decoded) for item in source]
    source._items = iter(items)
    watch(source, stages(), [Sink(), Taking()])
    assert taken == [decoded if wanted else None] * 3


@pytest.mark.parametrize("where", ["seen", "beat", "end"])
@pytest.mark.parametrize("known", [True, False])
def test_a_sink_that_fails_costs_the_others_nothing(script, stages, diary, where, known) -> None:
    error = SealshotError("the disk is full") if known else ZeroDivisionError()
    breaking = Breaking(where, error)
    source = script((0.0, 1), (0.5, None), (0.9, 1))
    if known:
        assert watch(source, stages(), [breaking, diary]).failure is error
    else:
        with pytest.raises(ZeroDivisionError):
            watch(source, stages(), [breaking, diary])
    assert breaking.calls[-1] == where  # it is not called again
    assert diary.entries[-1] == ("end", -1.0, (1,))
    kinds = [entry[0] for entry in diary.entries]
    assert kinds[-2] == (where if where != "end" else "seen")  # the others got the item as well
    assert diary.last.failure is (None if where == "end" else error)


def test_a_source_that_fails_costs_nobody_the_shot(script, stages, diary) -> None:
    lost = SourceError("the camera went away")
    done = watch(script(*TWO_IN_VIEW, lost), stages(), [diary])
    assert done.failure is diary.last.failure is lost
    assert diary.entries[-1][2] == (1, 2)
    assert done.frames == 20


def test_it_stops_after_the_item_in_hand(script, stages, diary) -> None:
    stop = Stop()

    class Stopper(Sink):
        def seen(self, seen) -> None:
            if seen.frame.index == 3:
                stop.set()

    done = watch(script(*TWO_IN_VIEW), stages(), [Stopper(), diary], stop)
    assert done.interrupted is diary.last.interrupted is True
    assert done.frames == 4
    assert [entry[0] for entry in diary.entries] == ["seen"] * 4 + ["end"]
    assert diary.entries[-1][2] == (1, 2)


def test_it_stops_while_it_waits_for_a_source_that_hangs(script, stages, diary) -> None:
    stop, forever = Stop(), threading.Event()
    source = script((0.0, 1), forever.wait, (9.0, 1))
    source.close = forever.set
    threading.Timer(0.3, stop.set).start()
    start = time.monotonic()
    done = watch(source, stages(), [diary], stop)
    assert time.monotonic() - start < 2
    assert done.interrupted
    assert diary.entries[-1] == ("end", -1.0, (1,))


def test_ctrl_c_without_a_token_ends_it_with_a_shot_of_everybody(script, stages, diary) -> None:
    done = watch(
        script(*TWO_IN_VIEW), stages(), [diary, Breaking("seen", KeyboardInterrupt())], None
    )
    assert done.interrupted
    assert diary.entries[-1] == ("end", -1.0, (1, 2))


def test_a_second_ctrl_c_ends_it_at_once(script, stages, diary) -> None:
    stop = Stop()

    class Hanging(Sink):
        def seen(self, _) -> None:
            stop.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(script(*TWO_IN_VIEW), stages(), [Hanging(), diary], stop)
    assert diary.last is None


@pytest.mark.parametrize(("apart", "threads"), [(False, 2), (True, 1)])
def test_no_thread_reads_what_a_process_apart_reads(script, stages, apart, threads) -> None:
    counts = list[int]()

    def count() -> None:
        counts.append(sum(one.name == "sealshot-ahead" for one in threading.enumerate()))

    source = script((0.0, 1), (0.04, 1), count, live=False)
    source.apart = apart
    watch(source, stages(), [])
    assert counts == [threads]
