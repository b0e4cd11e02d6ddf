"""The strip below the picture: what it says, and what it survives, beside the user data (SEI)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import InputError
from sealshot.runtime.public.message import Message
from sealshot.runtime.public.note import Announcer, Note
from sealshot.runtime.public.restore import messages_in_packets
from sealshot.runtime.public.strip import read_strip, strip_px, with_strip

NOTE = Note(bytes(range(16)), 70_000, 1280, 720, ((3, (1,)), (4, (1, 2))))
SIZES = [(1920, 1080), (1366, 768), (1280, 720), (854, 480), (640, 360), (333, 201), (320, 200)]


def noise(width: int, height: int, dtype: type = np.uint8) -> list[np.ndarray]:
    rng, top = np.random.default_rng(1), 256 if dtype is np.uint8 else 1024
    shapes = [(height, width), *[(-(-height // 2), -(-width // 2))] * 2]
    return [rng.integers(0, top, shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_drawn_is_read_and_the_picture_stays(width: int, height: int, dtype: type) -> None:
    planes = noise(width, height, dtype)
    shown = with_strip(planes, NOTE)
    assert shown[0].shape == (height + strip_px(width), width)
    assert all(np.array_equal(a[: len(b)], b) for a, b in zip(shown, planes, strict=True))
    assert read_strip(shown[0]) == NOTE


def test_a_strip_in_which_bytes_are_wrong_is_mended_or_not_read() -> None:
    luma = with_strip(noise(1280, 720), NOTE)[0]
    luma[-8:-4, 100:350] = 20
    assert read_strip(luma) == NOTE
    luma[-12:, 100:1000] = 20
    assert read_strip(luma) is None


def test_where_there_is_no_strip_none_is_read() -> None:
    for width, height in SIZES:
        assert read_strip(noise(width, height)[0]) is None
    assert read_strip(np.zeros((4, 4), np.uint8)) is None


def test_a_picture_may_be_too_narrow() -> None:
    with pytest.raises(InputError, match="too narrow"):
        strip_px(319)


def test_each_part_is_named_although_not_all_fit_in_one_strip() -> None:
    announcer, named = Announcer(), set()
    parts = [(number, tuple(range(1, 2 + number % 5))) for number in range(12)]
    for picture in range(10):
        now = tuple(parts) if picture == 0 else ()  # gone after one picture
        named |= set(announcer.note(Message(bytes(16), picture, (), now), 640, 360).parts)
    assert named == set(parts)


# what somebody does with the file -> whether SEI and strip are read in each picture afterwards
COPY = ("-c", "copy")
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf")
H265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-crf")
SURVIVAL: dict[str, tuple[tuple[str, ...], bool, bool]] = {
    "copy": (COPY, True, True),
    "H.264 CRF 23": ((*H264, "23"), False, True),
    "H.264 CRF 33": ((*H264, "33"), False, True),
    "H.265 CRF 28": ((*H265, "28"), False, True),
    "MJPEG q10": (("-c:v", "mjpeg", "-q:v", "10"), False, True),
    "to 480p, H.264 CRF 26": (("-vf", "scale=-2:480", *H264, "26"), False, True),
    "to 360p, H.264 CRF 30": (("-vf", "scale=-2:360", *H264, "30"), False, True),
    "to 180p, H.264 CRF 30": (("-vf", "scale=-2:180", *H264, "30"), False, False),
}


def ffmpeg(source: Path, to: Path, *options: str) -> Path:
    command = ["ffmpeg", "-v", "error", "-i", str(source), *options, str(to)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return to


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A public stream of 1280x720 that moves and has texture."""
    folder = tmp_path_factory.mktemp("strip")
    source = ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=0.32"]
    clip = folder / "clip.mkv"
    subprocess.run(["ffmpeg", "-v", "error", *source, "-c:v", "ffv1", str(clip)], check=True)
    out = folder / "public.mkv"
    public = ["deidentify", str(clip), "-o", str(out), "--message", "strip", "--min-face", "300"]
    assert main(public) == 0
    return out


@pytest.mark.parametrize("what", SURVIVAL)
def test_what_survives_what(
    stream: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    options, sei, strip = SURVIVAL[what]
    out = ffmpeg(stream, tmp_path / "out.mkv", *options)
    assert all(bool(message) == sei for _, message in messages_in_packets(out))
    capsys.readouterr()
    code = main(["public", "read", str(out), "--json"])
    told = capsys.readouterr().out
    assert (code == 0) == (sei or strip)
    if code == 0:
        assert [one["picture"] for one in json.loads(told)] == list(range(8))


def test_a_strip_lies_below_the_whole_picture(
    stream: Path, facts: Callable[[Path], object]
) -> None:
    assert facts(stream).size == (1280, 720 + strip_px(1280))
