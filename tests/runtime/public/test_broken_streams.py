"""Broken and hostile streams: each is refused with the reason, and uncovers nothing."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest
from restoring import FRAMES, SIZE, Told, ffmpeg, planes

from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.public.cover import Region
from sealshot.runtime.public.message import MARK, Message, Part, message_in, nal_unit, to_bytes
from sealshot.runtime.public.originals import OriginalsWriter
from sealshot.runtime.public.restore import Opened, Restorer, Survey
from sealshot.runtime.seal.originals import OpenedOriginals, Originals


def replaced(told: Told, folder: Path, *, logged: bool) -> Path:
    """A vault in which each container has the name of another."""
    vault = folder / "vault"
    shutil.copytree(told.folder / "vault", vault)
    if not logged:
        (vault / "log").unlink()
    objects = sorted(vault.glob("*/*.sealed"))
    data = [path.read_bytes() for path in objects]
    for path, other in zip(objects, data[1:] + data[:1], strict=True):
        path.write_bytes(other)
    return vault


def emptied(told: Told, folder: Path) -> Path:
    vault = folder / "vault"
    shutil.copytree(told.folder / "vault", vault)
    next(vault.glob("*/*.sealed")).unlink()
    return vault


def shortened(told: Told, folder: Path) -> Path:
    """A stream without five of its pictures."""
    path = folder / "c.mkv"
    with av.open(str(told.stream)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(video=0)):
            if packet.size and index not in range(10, 15):
                packet.stream = stream
                target.mux(packet)
    return path


def scaled(told: Told, to: Path) -> Path:
    """A stream whose messages outlive that it was scaled."""
    half = f"scale={SIZE[0] // 2}:{SIZE[1] // 2}"
    return ffmpeg(told.stream, to / "s.mkv", "-vf", half, "-c:v", "libx264", "-udu_sei", "1")


def told_otherwise(told: Told, to: Path, change: Callable[[Message], Message]) -> Path:
    """A stream whose pictures say something else of themselves."""
    with av.open(str(told.stream)) as source, av.open(str(to), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if not packet.size:
                continue
            said = message_in(bytes(packet))
            assert said is not None
            unit = nal_unit(to_bytes(change(said)), "h264")[4:]  # Matroska has no start codes
            data, units = bytes(packet), []
            while data:
                size = 4 + int.from_bytes(data[:4], "big")
                units.append(data[:size])
                data = data[size:]
            units = [len(unit).to_bytes(4, "big") + unit, *(u for u in units if MARK not in u)]
            new = av.Packet(b"".join(units))
            new.pts, new.dts, new.time_base = packet.pts, packet.dts, packet.time_base
            new.is_keyframe, new.stream = packet.is_keyframe, stream
            target.mux(new)
    return to


def of_two_streams(message: Message) -> Message:
    return replace(message, stream=bytes(16)) if message.picture > 20 else message


def of_another_order(message: Message) -> Message:
    return replace(message, picture=FRAMES - 1 - message.picture)


def of_each_twice(message: Message) -> Message:
    return replace(message, picture=message.picture // 2)


def of_another_stream(message: Message) -> Message:
    return replace(message, stream=bytes(16))


def of_another_track(message: Message) -> Message:
    return replace(message, parts=tuple((n, (9,) if t else ()) for n, t in message.parts))


def of_nobody(message: Message) -> Message:
    return replace(message, parts=())


BROKEN: dict[str, tuple[str, Callable[[Told, Path], tuple[Path | None, Path | None]]]] = {
    "pictures that were taken out": ("was cut: 5 of", lambda t, p: (shortened(t, p), None)),
    "encoded again": (
        "says nothing of itself",
        lambda t, p: (ffmpeg(t.stream, p / "e.mkv", "-c:v", "libx264"), None),
    ),
    "without its messages": (
        "says nothing of itself",
        lambda t, p: (
            ffmpeg(t.stream, p / "m.mkv", "-c", "copy", "-bsf:v", "filter_units=remove_types=6"),
            None,
        ),
    ),
    "put together from two": (
        "from 2 public streams",
        lambda t, p: (told_otherwise(t, p / "2.mkv", of_two_streams), None),
    ),
    "in another order": (
        "not in the order in which they were taken",
        lambda t, p: (told_otherwise(t, p / "order.mkv", of_another_order), None),
    ),
    "with each picture twice": (
        "not in the order in which they were taken, each once",
        lambda t, p: (told_otherwise(t, p / "twice.mkv", of_each_twice), None),
    ),
    "containers of another stream": (
        "containers is in",
        lambda t, p: (told_otherwise(t, p / "a.mkv", of_another_stream), None),
    ),
    "containers of another track": (
        "are not in the vault",
        lambda t, p: (told_otherwise(t, p / "t.mkv", of_another_track), None),
    ),
    "without its parts": (
        "says of no sealed originals",
        lambda t, p: (told_otherwise(t, p / "n.mkv", of_nobody), None),
    ),
    "no video": ("is a text file, not a video", lambda t, p: (t.folder / "w.json", None)),
    "a container that is missing": ("are not in the vault", lambda t, p: (None, emptied(t, p))),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    why, make = BROKEN[what]
    stream, vault = make(told, tmp_path)
    given = stream or told.stream, vault or told.folder / "vault"
    out = tmp_path / "o.mkv"
    options = ["--identity", str(told.parties.investigator), "-o", str(out)]
    assert main(told.arguments(*given, *options)) == 2
    assert why in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("tracks", [["99"], ["1", "99"]])
def test_a_track_that_is_not_there_is_told_with_those_that_are(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str], tracks: list[str]
) -> None:
    asked = [word for track in tracks for word in ("--track", track)]
    out, vault = str(tmp_path / "o.mkv"), told.folder / "vault"
    restore = told.arguments(told.stream, vault, "--request", out, *asked)
    attach = ["public", "attach", str(told.stream), "--vault", str(vault), "-o", out, *asked]
    for command in (restore, attach):
        assert main(command) == 2
        said = capsys.readouterr().err
        assert f"error: {told.stream} says of no track 99\n" in said
        assert "hint: of these alone it has originals: 1, 2, 3, 4, 5, 6; `sealshot" in said
    assert not list(tmp_path.iterdir())


def test_a_track_that_is_never_alone_is_told(tmp_path: Path) -> None:
    parts = Counter({(0, (1,)): 3, (1, ()): 2})
    found = Survey("00" * 16, 5, 4, 0, parts, frozenset({1, 2}))
    assert list(found.wanted(tmp_path, frozenset({1}))) == [(0, (1,))]
    with pytest.raises(InputError, match="no sealed original of track 2 alone") as why:
        found.wanted(tmp_path, frozenset({1, 2}))
    assert "alone it has originals: 1;" in why.value.hint


@pytest.mark.parametrize("logged", [True, False])
def test_another_s_container_in_the_place_of_one_is_refused(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str], logged: bool
) -> None:
    name = f"whole-{logged}"
    assert told.restore(name) == 0
    options = [*told.answers(told.folder / f"{name}.zip", name), "-o", str(tmp_path / "o.mkv")]
    capsys.readouterr()
    vault = replaced(told, tmp_path, logged=logged)
    assert main(told.arguments(told.stream, vault, *options)) == 2
    assert "under the name of another" in capsys.readouterr().err
    assert not list(tmp_path.glob("o.mkv*"))


def damaged(told: Told, folder: Path) -> Path:
    """A vault in which a byte of each container is another."""
    vault = folder / "vault"
    shutil.copytree(told.folder / "vault", vault)
    (vault / "log").unlink()
    for path in vault.glob("*/*.sealed"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    return vault


def torn(told: Told, folder: Path) -> Path:
    """A stream that ends in the midst of a picture, as where a disk was full."""
    path, data = folder / "torn.mkv", told.stream.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    return path


def cropped(told: Told, folder: Path) -> Path:
    """A copy of a stream that says it is smaller: each picture is as it was encoded."""
    crop = "h264_metadata=crop_left=32:crop_top=16"
    return ffmpeg(told.stream, folder / "cropped.mkv", "-c", "copy", "-bsf:v", crop)


WITH_ANSWERS: dict[str, tuple[str, Callable[[Told, Path], tuple[Path | None, Path | None]]]] = {
    "containers in which a byte is another": ("", lambda t, p: (None, damaged(t, p))),
    "a stream that was torn": ("was cut", lambda t, p: (torn(t, p), None)),
    "a stream whose edges were cut off": (
        "was scaled or cropped",
        lambda t, p: (cropped(t, p), None),
    ),
}


@pytest.mark.parametrize("what", WITH_ANSWERS)
def test_what_is_broken_is_refused_with_all_answers_too(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    (why, make), name = WITH_ANSWERS[what], f"broken{list(WITH_ANSWERS).index(what)}"
    assert told.restore(name) == 0
    stream, vault = make(told, tmp_path)
    options = [*told.answers(told.folder / f"{name}.zip", name), "-o", str(tmp_path / "o.mkv")]
    capsys.readouterr()
    assert (
        main(told.arguments(stream or told.stream, vault or told.folder / "vault", *options)) == 2
    )
    err = capsys.readouterr().err
    assert why in err
    assert "Traceback" not in err
    assert not list(tmp_path.glob("o.mkv*"))


def test_boxes_that_a_stream_names_uncover_nothing(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a piece goes is what the camera sealed; boxes out of the picture are passed over."""
    far = (-(2**15), 2**15 - 1, 2**15 - 1, -(2**15))

    def of_other_boxes(message: Message) -> Message:
        boxes = tuple((track, *far) for track, *_ in message.regions)
        return replace(message, regions=boxes * 2)

    assert told.restore("right", "--track", "1") == 0
    options = [*told.answers(told.folder / "right.zip", "right"), "-o", str(tmp_path / "o.mkv")]
    stream = told_otherwise(told, tmp_path / "b.mkv", of_other_boxes)
    given = told.arguments(stream, told.folder / "vault", "--track", "1", *options)
    assert main(given) == 0
    for back, right in zip(
        planes(tmp_path / "o.mkv"), planes(told.folder / "right.mkv"), strict=True
    ):
        assert all(map(np.array_equal, back, right))


@pytest.mark.skipif(
    not hasattr(av.VideoStream, "set_display_rotation"), reason="this PyAV cannot turn a stream"
)
def test_a_stream_that_was_turned_without_encoding_it_is_refused(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told.restore("upright") == 0
    turned, out = tmp_path / "turned.mp4", tmp_path / "o.mkv"
    with av.open(str(told.stream)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(180)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    options = [*told.answers(told.folder / "upright.zip", "upright"), "-o", str(out)]
    capsys.readouterr()
    assert main(told.arguments(turned, told.folder / "vault", *options)) == 2
    assert "says that it is to be turned" in capsys.readouterr().err
    assert not list(tmp_path.glob("o.mkv*"))


def test_a_part_of_another_format_than_those_before_it_is_refused() -> None:
    sealed: list[Originals] = []
    for pixels, step in (("yuv420p", 2), ("yuv444p", 1)):
        shown = [np.full((64 // s, 64 // s), 90, np.uint8) for s in (1, step, step)]
        writer = OriginalsWriter(bytes(16), pixels, sealed.append, lambda _: "h")
        writer.take(0, 0.0, shown, [Region((8, 8, 40, 40), 32, track=1)])
        writer.finish()
    parts: list[Part] = [(0, (1,)), (1, (1,))]
    now = datetime(2026, 11, 29, tzinfo=UTC)

    def open_part(part: Part) -> Opened:
        originals = replace(sealed[part[0]], part=part[0])
        return Opened(OpenedOriginals(originals, "cam", now, "ntp"), frozenset([0]))

    found = Survey("00" * 16, 1, 0, 0, Counter(parts))
    black = [np.zeros((64 // s, 64 // s), np.uint8) for s in (1, 2, 2)]
    Restorer(found, parts[:1], open_part).restore(black, Message(bytes(16), 0, (), tuple(parts)))
    assert (black[0][16:32, 16:32] == 90).all()
    with pytest.raises(SealError, match="part 1 is of yuv444p, and those before it of yuv420p"):
        Restorer(found, parts, open_part).restore(black, Message(bytes(16), 0, (), tuple(parts)))


def test_a_scaled_stream_whose_messages_were_kept_is_refused(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told.restore("kept") == 0
    stream = scaled(told, tmp_path)
    capsys.readouterr()
    options = [*told.answers(told.folder / "kept.zip", "kept"), "-o", str(tmp_path / "o.mkv")]
    code = main(told.arguments(stream, told.folder / "vault", "--partial", *options))
    assert code == 2
    assert any(w in capsys.readouterr().err for w in ("was scaled", "says nothing of itself"))
    assert not list(tmp_path.glob("o.mkv*"))
