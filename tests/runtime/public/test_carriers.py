"""The message in the picture itself: unseen in blocks, in the lowest bits; what each outlives."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from sealshot.runtime.cli.main import main
from sealshot.runtime.public.carriers import Reader, carry
from sealshot.runtime.public.message import Message
from sealshot.runtime.public.note import Note
from sealshot.runtime.public.picture import planes_of
from sealshot.runtime.public.qim import GROUP, BlockReader, BlockWriter

SIZE = 1280, 720
PICTURES = 2 * GROUP + 4
STREAM = bytes(range(16))


def luma(rng: np.random.Generator, size: tuple[int, int] = SIZE) -> np.ndarray:
    return rng.integers(20, 230, (size[1] // 8, size[0] // 8)).repeat(8, 0).repeat(8, 1)


def with_notes(dtype: type = np.uint8) -> Iterator[np.ndarray]:
    """Yield the first planes of pictures of noise, each group with its note."""
    rng, writer, deep = np.random.default_rng(3), BlockWriter(), 1 if dtype is np.uint8 else 4
    for picture in range(PICTURES):
        note = Note(STREAM, picture // GROUP * GROUP, *SIZE, ((picture // GROUP, (1,)),))
        yield writer.write([(luma(rng) * deep).astype(dtype)], note, picture)[0]


def numbers(lumas: Iterable[np.ndarray], at: Iterable[int] = range(1000)) -> list[int | None]:
    reader = BlockReader()
    pictures = zip(lumas, at, strict=False)
    notes = [note for luma, n in pictures for note in reader.add(luma, n / 25)]
    notes += reader.finish()
    return [None if note is None else note.picture for note in notes]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_blocks_tell_each_picture_its_number_and_move_little(dtype: type) -> None:
    assert numbers(with_notes(dtype)) == list(range(PICTURES))
    plain, shown = luma(np.random.default_rng(3)), next(with_notes())
    by = shown.astype(int) - plain
    assert 10 * np.log10(255**2 / (by**2).mean()) > 43
    assert np.abs(by).max() <= 3


@pytest.mark.parametrize("first", [1, 11, 12, 13, 23, 24])
def test_a_cut_stream_says_its_numbers_or_nothing(first: int) -> None:
    shown = list(with_notes())[first:]
    assert numbers(shown) == list(range(first, PICTURES))


@pytest.mark.parametrize("gone", [{30}, {10, 11}, set(range(20, 30)), set(range(0, PICTURES, 5))])
def test_where_pictures_are_missing_no_other_gets_a_wrong_number(gone: set[int]) -> None:
    there = {at: one for at, one in enumerate(with_notes()) if at not in gone}
    told = numbers(there.values(), there)
    assert all(said in (None, at) for said, at in zip(told, there, strict=True))


def test_pictures_without_blocks_or_of_any_size_say_nothing() -> None:
    rng = np.random.default_rng(1)
    for size in (SIZE, (64, 40), (4, 4), (0, 0)):
        plain = [rng.integers(0, 256, size[::-1]).astype(np.uint8) for _ in range(50)]
        assert numbers(plain) == [None] * 50


@pytest.mark.parametrize("regions", [0, 40, 4000])
def test_the_lowest_bits_say_all_and_move_by_one(regions: int) -> None:
    rng = np.random.default_rng(2)
    message = Message(STREAM, 7, ((3, -4, 5, 60, 70),) * regions, ((2, (3,)),))
    plain = [rng.integers(0, 256, (120, 160)).astype(np.uint8)]
    shown = carry("lsb")(plain, message)[0]
    assert np.abs(shown.astype(int) - plain[0]).max() == 1
    reader = Reader()
    told = [*reader.add(shown, 0.0), *reader.finish()]
    fits = 8 * (39 + 12 * regions) < shown.size
    assert told == [message if fits else Message(STREAM, 7, (), message.parts)]
    assert list(Reader().add(plain[0], 0.0)) == []


H264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf")
# what somebody does with the file -> whether blocks, and lowest bits, outlive it
SURVIVAL: dict[str, tuple[tuple[str, ...], bool, bool]] = {
    "copy": (("-c", "copy"), True, True),
    "FFV1": (("-c:v", "ffv1"), True, True),
    "H.264 CRF 18": ((*H264, "18"), True, False),
    "H.264 CRF 28": ((*H264, "28"), True, False),
    "to 480p": (("-vf", "scale=-2:480", *H264, "18"), False, False),
}


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A public stream by each carrier; what it shows moves and has texture and noise."""
    folder = tmp_path_factory.mktemp("carriers")
    clip, made = folder / "clip.mkv", {}
    source = "mandelbrot=size=1280x720:rate=25,noise=alls=6:allf=t"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-frames:v", str(GROUP)]
    subprocess.run([*command, "-pix_fmt", "yuv420p", "-c:v", "ffv1", str(clip)], check=True)
    for carrier in ("qim", "lsb"):
        made[carrier] = folder / f"{carrier}.mkv"
        options = ["--message", carrier, "--min-face", "400", "--codec", "ffv1"]
        assert main(["deidentify", str(clip), "-o", str(made[carrier]), *options]) == 0
    return made


@pytest.mark.parametrize("what", SURVIVAL)
@pytest.mark.parametrize("carrier", ["qim", "lsb"])
def test_what_survives_what(
    streams: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    carrier: str,
    what: str,
) -> None:
    options, *survives = SURVIVAL[what]
    out = tmp_path / "out.mkv"
    command = ["ffmpeg", "-v", "error", "-i", str(streams[carrier]), *options, str(out)]
    subprocess.run(command, check=True)
    capsys.readouterr()
    code = main(["public", "read", str(out), "--json"])
    told = capsys.readouterr().out
    assert (code == 0) == survives[carrier == "lsb"]
    if code == 0:
        assert [one["picture"] for one in json.loads(told)] == list(range(GROUP))


def test_a_copy_by_pyav_decodes_to_the_same_lowest_bits(
    streams: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    reader = Reader()
    with av.open(str(streams["lsb"])) as container:
        told = [
            m for frame in container.decode(video=0) for m in reader.add(planes_of(frame)[0], 0.0)
        ]
    told += reader.finish()
    assert [message and message.picture for message in told] == list(range(GROUP))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-o", "p.mkv", "--message", "lsb"], "h264 does not keep"),
        (["-o", "p.mkv", "--message", "qim", "--codec", "ffv1"], "too small for --message qim"),
    ],
)
def test_a_carrier_that_does_not_fit_is_told_and_leaves_nothing(
    make_clip, tmp_path: Path, monkeypatch, capsys, options: list[str], says: str
) -> None:
    clip = make_clip()
    monkeypatch.chdir(tmp_path)
    assert main(["deidentify", str(clip), *options]) == 2
    assert says in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == [clip.name]
