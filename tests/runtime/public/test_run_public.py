"""`sealshot run --public`: the same shots with it and without it, and nobody in the stream."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import av
import numpy as np
import pytest

from sealshot.benchmarks.accuracy import uncovered
from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.pipeline.sinks import Beat, End, Seen
from sealshot.runtime.public.hiding import Hiding
from sealshot.runtime.public.restore import survey
from sealshot.runtime.public.sink import PublicSink
from sealshot.runtime.public.stream import PublicStream
from sealshot.runtime.sandbox.shape import Turn
from sealshot.runtime.types import Face, Frame, Image, Ratings, Raw, Tracks

MakeClip = Callable[..., Path]
NOBODY = Ratings.of(np.empty(0, np.float32))


def shots(
    clip: Path, folder: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> list[dict[str, object]]:
    """Run on a clip, and return its shots without their names."""
    recipient = folder / "to"
    if not recipient.exists():
        assert main(["keys", "new", str(folder / "me.key")]) == 0
        recipient.write_text(capsys.readouterr().out.split()[0])
    vault = folder / f"vault{len(list(folder.glob('vault*')))}"
    run = ["run", str(clip), "--to", str(recipient), "--vault", str(vault), "--json"]
    assert main([*run, *options]) == 0
    told = json.loads(capsys.readouterr().out)["people"]
    return [{k: v for k, v in p.items() if k != "object_id"} for p in told]


@pytest.mark.data
@pytest.mark.parametrize(
    "clip", ["signer-hands-occlude.mkv", "two-turn-heads.gif", "three-walk-up.gif"]
)
def test_the_shots_of_clips_are_the_same(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], clip: str
) -> None:
    alone = shots(data / "clips" / clip, tmp_path, capsys)
    public = "--public", str(tmp_path / "public.mkv")
    assert alone
    assert shots(data / "clips" / clip, tmp_path, capsys, *public) == alone


def test_the_shots_are_the_same_and_the_stream_shows_no_eye(
    make_walk: MakeClip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, public = make_walk(), tmp_path / "public.mkv"
    alone = shots(clip, tmp_path, capsys)
    assert shots(clip, tmp_path, capsys, "--public", str(public), "--style", "solid") == alone
    assert len(alone) == 1
    judged = tmp_path / "judged.json"
    judge = ["--judge", "mtcnn:exact", "-o", str(judged)]
    assert uncovered.main([str(clip), str(public), *judge]) == 0
    assert json.loads(judged.read_text())["uncovered"] == []
    with av.open(str(public)) as container:
        means = [np.asarray(f.to_ndarray(format="gray")) for f in container.decode(video=0)]
    assert len(means) == 12
    assert all(abs(int(np.median(luma[60:160, 80:160])) - 128) < 20 for luma in means)


class At:
    """A detector that finds a face at one place, in the frames whose level is listed."""

    def __init__(self, levels: set[int]) -> None:
        self._levels = levels

    def detect(self, image: Image) -> list[Face]:
        if int(image[0, 0, 0]) not in self._levels:
            return []
        return [Face(np.array([60, 40, 100, 90], np.float32), 0.9, np.zeros((5, 2), np.float32))]


def give(sink: PublicSink, indexes: range, beat_s: float | None = None) -> None:
    rng = np.random.default_rng(0)
    for index in indexes:
        image = rng.integers(0, 255, (128, 160, 3)).astype(np.uint8)
        image[0, 0] = index
        sink.seen(Seen(Frame(index, index / 25, image), Tracks((), ()), NOBODY, (), 0))
    if beat_s is not None:
        sink.beat(Beat(beat_s, (), (), 0))


NOON = datetime(2026, 11, 21, 12, 59, 58, tzinfo=timezone.utc)
END = End((), (), 0, False, None)
CTRL_C = End((), (), 0, True, None)


def lumas(path: Path) -> list[Image]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


def test_what_is_found_late_was_covered_before(tmp_path: Path) -> None:
    sink = PublicSink(tmp_path / "p.mkv", "ffv1", [At(set(range(20, 60)))], Hiding("solid"))
    give(sink, range(60))
    sink.end(END)
    shown = lumas(tmp_path / "p.mkv")
    assert len(shown) == 60
    assert all(np.ptp(luma[45:85, 65:95]) < 3 for luma in shown)
    assert all(np.ptp(luma[:20, :30]) > 100 for luma in shown[20:])


def test_of_what_the_watch_saw_only_the_last_picture_is_held(tmp_path: Path) -> None:
    sink = PublicSink(tmp_path / "p.mkv", "ffv1", [At(set())])
    images = list[weakref.ref[Image]]()
    for index in range(8):
        image = np.full((128, 160, 3), index, np.uint8)
        images.append(weakref.ref(image))
        sink.seen(Seen(Frame(index, index / 25, image), Tracks((), ()), NOBODY, (), 0))
        del image
    until = time.monotonic() + 10
    while [index for index, image in enumerate(images) if image() is not None] != [7]:
        assert time.monotonic() < until
        time.sleep(0.01)
    sink.end(END)


def test_after_ctrl_c_the_pictures_whose_future_is_unknown_are_left_out(tmp_path: Path) -> None:
    sink = PublicSink(tmp_path / "p.mkv", "ffv1", [At(set())])
    give(sink, range(60))
    sink.end(CTRL_C)
    assert len(lumas(tmp_path / "p.mkv")) == sink.pictures == 34


def test_while_a_camera_is_away_time_goes_on(tmp_path: Path) -> None:
    sink = PublicSink(tmp_path / "p.mkv", "ffv1", [At(set())])
    give(sink, range(20), beat_s=5.0)
    sink.end(CTRL_C)
    assert len(lumas(tmp_path / "p.mkv")) == 20


def test_a_source_that_changes_its_size_goes_on_in_the_first_one(tmp_path: Path) -> None:
    sink = PublicSink(tmp_path / "p.mkv", "ffv1", [At(set())])
    give(sink, range(2))
    large = np.zeros((256, 320, 3), np.uint8)
    sink.seen(Seen(Frame(2, 0.08, large), Tracks((), ()), NOBODY, (), 0))
    sink.end(END)
    assert {luma.shape for luma in lumas(tmp_path / "p.mkv")} == {(128, 160)}


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p"])
@pytest.mark.parametrize("first", [Turn(), Turn(True, False, True)])
def test_a_source_that_is_turned_in_the_midst_is_covered_where_the_face_is(
    tmp_path: Path, pixels: str, first: Turn
) -> None:
    """A camera that says of its pictures that it lies on its side now, or no more."""
    sink = PublicSink(tmp_path / "p.mkv", "ffv1", [At(set(range(256)))], Hiding("solid"))
    other = Turn(True, False, True) if first == Turn() else Turn()
    for index, turn in enumerate([first] * 3 + [other] * 3):
        level = 10 * index
        frame = av.VideoFrame.from_ndarray(np.full((128, 160, 3), level, np.uint8), "bgr24")
        raw = Raw(frame.reformat(format=pixels), turn)
        image = np.full((160, 128, 3) if turn.transposed else (128, 160, 3), level, np.uint8)
        sink.seen(Seen(Frame(index, index / 25, image, raw), Tracks((), ()), NOBODY, (), 0))
    sink.end(END)
    high, wide = (160, 128) if first.transposed else (128, 160)
    for index, luma in enumerate(lumas(tmp_path / "p.mkv")):
        assert luma.shape == (high, wide)
        turn = first if index < 3 else other
        rows, columns = (160, 128) if turn.transposed else (128, 160)
        y, x = 65 * high // rows, 80 * wide // columns  # the middle of the face, which is grey
        assert abs(int(luma[y, x]) - 128) < 6
        assert luma[-1, -1] < 70


def test_a_new_hour_is_a_new_file_and_nobody_is_lost_between_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was found in the hour before is covered in the next one, where nothing finds him."""
    sinks = "sealshot.runtime.public.sink"
    monkeypatch.setattr(f"{sinks}.LEAST_S", 0.5)
    monkeypatch.setattr(f"{sinks}.utc_now", lambda: NOON)
    monkeypatch.setattr(PublicSink, "_taken", lambda _, time_s: NOON + timedelta(seconds=time_s))

    def name(begins: datetime) -> Path:
        return tmp_path / f"{begins:%H-%M-%S}.mkv"

    found = At(set(range(30, 48)))  # the hour ends before picture 50
    sink = PublicSink(tmp_path / "p.mkv", "h264", [found], Hiding("solid"), hourly=name)
    give(sink, range(110))
    sink.end(END)
    files = [tmp_path / "p.mkv", tmp_path / "13-00-00.mkv"]
    first, second = (survey(file) for file in files)
    assert first.stream != second.stream
    assert (first.pictures + second.pictures, second.missing) == (110, 0) == (sink.pictures, 0)
    assert min(first.pictures, second.pictures) > 20
    shown = [luma for file in files for luma in lumas(file)]
    hidden = [bool(np.ptp(luma[45:85, 65:95]) < 20) for luma in shown]
    assert (set(hidden[6:72]), set(hidden[75:])) == ({True}, {False})
    with av.open(str(files[1])) as container:
        assert [frame.time for frame in container.decode(video=0)][:2] == [0.0, 0.04]


def test_no_frame_is_no_file(tmp_path: Path) -> None:
    sink = PublicSink(tmp_path / "p.mkv", "ffv1", [])
    sink.beat(Beat(1.0, (), (), 0))
    sink.end(END)
    assert not list(tmp_path.iterdir())


def test_what_fails_at_the_very_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SealshotError("the disk is gone")

    monkeypatch.setattr("sealshot.runtime.public.sink.PublicStream.finish", fail)
    sink = PublicSink(tmp_path / "p.mkv", "ffv1", [At(set())])
    give(sink, range(2))
    with pytest.raises(SealshotError, match="the disk is gone"):
        sink.end(END)
    assert not list(tmp_path.iterdir())


def test_a_run_that_ended_before_any_picture_was_written_says_so(
    make_walk: MakeClip,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finish = PublicStream.finish
    monkeypatch.setattr(PublicStream, "finish", lambda self, whole: finish(self, whole=False))
    public, clip = tmp_path / "public.mkv", make_walk()
    assert main(["keys", "new", str(tmp_path / "me.key")]) == 0
    to = ["--to", capsys.readouterr().out.strip(), "--vault", str(tmp_path / "vault")]
    assert main(["run", str(clip), *to, "--public", str(public)]) == 0
    assert f"there is no {public}" in capsys.readouterr().err


def test_a_vault_that_takes_no_originals_leaves_no_file(tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise SealshotError("the vault is full")

    sink = PublicSink(tmp_path / "p.mkv", "ffv1", [At({0, 1})], Hiding("solid", 0.2), seal=fail)
    with pytest.raises(SealshotError, match="the vault is full"):
        give(sink, range(2000))
    assert not list(tmp_path.iterdir())


def test_who_was_lost_is_covered_up_to_the_end(tmp_path: Path) -> None:
    sink = PublicSink(tmp_path / "p.mkv", "ffv1", [At(set(range(20, 24)))], Hiding("solid"))
    give(sink, range(64))
    sink.end(END)
    shown = lumas(tmp_path / "p.mkv")
    assert all(np.ptp(luma[45:85, 65:95]) < 3 for luma in shown)


def test_a_full_disk_ends_it_in_one_sentence_and_leaves_nothing(small_disk: Path) -> None:
    sink = PublicSink(small_disk / "p.mkv", "ffv1", [At(set())])

    def fill() -> None:
        give(sink, range(250))
        sink.end(END)

    with pytest.raises(SealshotError, match="No space left on device"):
        fill()
    sink.end(END)
    assert not list(small_disk.iterdir())
