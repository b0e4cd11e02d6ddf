"""Folders of images as a source."""

from __future__ import annotations

import errno
import os
from typing import NoReturn

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealshot.runtime.errors import InputError
from sealshot.runtime.sandbox import process
from sealshot.runtime.sources import apart, open_source
from sealshot.runtime.sources.folder import SUFFIXES, natural_key

LIES_ON_ITS_SIDE = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06"
LIES_ON_ITS_SIDE += bytes(6)
"""A segment of JPEG that says so."""


def write(path, value: int, size: tuple[int, int] = (8, 6), channels: int = 3) -> None:
    shape = (size[1], size[0], channels) if channels > 1 else (size[1], size[0])
    assert cv2.imwrite(str(path), np.full(shape, value, np.uint8))


def test_images_come_in_natural_order_a_second_apart(tmp_path, reports) -> None:
    for number in (10, 9, 100, 1):
        write(tmp_path / f"img{number}.png", number)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".img0.png").write_bytes(b"left by a file manager")
    (tmp_path / "inner").mkdir()
    with open_source(str(tmp_path)) as source:
        assert (source.live, source.frames, source.fps) == (False, 4, 1.0)
        frames = list(source)
    assert [int(f.image[0, 0, 0]) for f in frames] == [1, 9, 10, 100]
    assert [(f.index, f.time_s) for f in frames] == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert reports == []


def test_pictures_are_those_that_are_parsed_in_this_process(tmp_path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (37, 51, 3), np.uint8)
    for suffix in SUFFIXES:
        one = pixels[..., 0] if suffix in (".pbm", ".pgm") else pixels
        assert cv2.imwrite(str(tmp_path / f"a{suffix}"), one), suffix
    lying = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(lying[:2] + LIES_ON_ITS_SIDE + lying[2:])
    with open_source(str(tmp_path)) as source, open_source(str(tmp_path), sandbox=False) as here:
        for one, other in zip(source, here, strict=True):
            assert np.array_equal(one.image, other.image)
            assert one.image.flags.writeable
            assert one.time_s == other.time_s
        assert one.image.shape == (51, 37, 3)


def test_a_picture_that_ends_who_parses_it_is_told_and_left_out(
    tmp_path, reports, monkeypatch
) -> None:
    for number in range(6):
        write(tmp_path / f"{number}.png", 100 + number)
    parsed = apart.Apart._copied
    taken = []

    def once(reader: apart.Apart, size: int) -> object:
        taken.append(size)
        if len(taken) == 2:  # it is at work on the third, or has it ready
            reader._process.kill()
            reader._process.wait()
        return parsed(reader, size)

    monkeypatch.setattr(apart.Apart, "_copied", once)
    with open_source(str(tmp_path)) as source:
        times = [frame.time_s for frame in source]
    lost = {0.0, 1.0, 2.0, 3.0, 4.0, 5.0} - set(times)
    assert len(lost) == 1
    (report,) = reports
    assert f"{min(lost):.0f}.png cannot be read as an image and is left out" in report
    assert "was ended by SIGKILL" in report


@pytest.mark.parametrize("sandbox", [True, False])
def test_no_name_ends_who_parses_and_no_pipe_hangs_it(tmp_path, reports, sandbox) -> None:
    write(tmp_path / "0.png", 0)
    write(tmp_path / "1.png", 1)
    (tmp_path / "1.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/1 \xff\n.png"))
    os.mkfifo(tmp_path / "2.png")
    write(tmp_path / "3.png", 3)
    with open_source(str(tmp_path), sandbox=sandbox) as source:
        assert [int(frame.image[0, 0, 0]) for frame in source] == [0, 1, 3]
    (report,) = reports
    assert "2.png cannot be read as an image and is left out" in report


def test_who_starts_no_process_for_pictures_is_told(tmp_path, monkeypatch) -> None:
    def start(*_: object) -> NoReturn:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    write(tmp_path / "0.png", 0)
    monkeypatch.setattr(process, "start", start)
    with pytest.raises(InputError, match="does not start: Resource temporarily") as caught:
        open_source(str(tmp_path))
    assert "--no-sandbox" in caught.value.hint


def test_fps_spaces_the_images(tmp_path, reports) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.png", 1)
    with open_source(str(tmp_path), fps=4.0) as source:
        assert [f.time_s for f in source] == [0, 0.25, 0.5]


def test_every_kind_of_image_becomes_bgr(tmp_path, reports) -> None:
    write(tmp_path / "a.png", 50, channels=1)
    write(tmp_path / "b.png", 50, channels=4)
    write(tmp_path / "c.JPG", 50)
    cv2.imwrite(str(tmp_path / "d.png"), np.full((6, 8), 50 * 257, np.uint16))
    with open_source(str(tmp_path)) as source:
        for frame in source:
            assert (frame.image.shape, frame.image.dtype) == ((6, 8, 3), np.uint8)
            assert abs(int(frame.image[0, 0, 0]) - 50) <= 1


def test_an_unreadable_image_is_reported_and_leaves_its_place_empty(tmp_path, reports) -> None:
    for number in (0, 1, 3):
        write(tmp_path / f"{number}.png", number)
    (tmp_path / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    with open_source(str(tmp_path)) as source:
        frames = list(source)
    assert [(f.index, f.time_s) for f in frames] == [(0, 0), (1, 1), (2, 3)]
    assert len(reports) == 1
    assert "2.png cannot be read" in reports[0]


def test_images_of_another_size_are_reported_once(tmp_path, reports) -> None:
    for number, width in enumerate((8, 16, 8, 32)):
        write(tmp_path / f"{number}.png", 1, size=(width, 6))
    with open_source(str(tmp_path)) as source:
        assert [f.image.shape[1] for f in source] == [8, 16, 8, 32]
    assert len(reports) == 1
    assert "from 8x6 to 16x6" in reports[0]


def test_a_folder_with_no_readable_image_is_refused(tmp_path, reports) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no")
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(InputError, match="not one of the 2 images"):
        open_source(str(tmp_path))


def test_a_looped_folder_runs_on(tmp_path, reports) -> None:
    for number in range(2):
        write(tmp_path / f"{number}.png", number)
    with open_source(str(tmp_path), loop=True) as source:
        frames = [next(source) for _ in range(5)]
    assert [f.time_s for f in frames] == [0, 1, 2, 3, 4]
    assert [int(f.image[0, 0, 0]) for f in frames] == [0, 1, 0, 1, 0]


def scenes(folder, count: int, *, moving: bool) -> None:
    """Write pictures of smooth noise: one scene with a little noise, or another each time."""
    folder.mkdir()
    chance = np.random.default_rng(7)
    for number in range(count):
        if moving or not number:
            scene = cv2.resize(chance.uniform(0, 255, (6, 6, 3)), (96, 96))
        image = np.clip(scene + chance.normal(0, 20, scene.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), image)


@pytest.mark.parametrize("count", [5, 8, 9, 30])
def test_unrelated_pictures_are_told_once(tmp_path, reports, count) -> None:
    scenes(tmp_path / "album", count, moving=True)
    scenes(tmp_path / "camera", count, moving=False)
    for folder in ("album", "camera"):
        with open_source(str(tmp_path / folder)) as source:
            assert len(list(source)) == count
    assert len(reports) == 1
    assert reports[0].startswith(f"{tmp_path}/album: the pictures look unrelated")


@given(st.lists(st.text()))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    assert sorted(sorted(names, key=natural_key), key=natural_key) == sorted(
        names[::-1], key=natural_key
    )


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_numbers_sort_by_value(a: int, b: int) -> None:
    assert (natural_key(f"f{a}.png") < natural_key(f"F{b}.png")) == (
        (a, f"f{a}.png") < (b, f"F{b}.png")
    )
