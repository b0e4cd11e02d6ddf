"""`sealshot restore`: who is asked for comes back bit for bit, everybody else stays hidden."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from restoring import FRAMES, SIDE, SIZE, Told, ffmpeg, places, planes, sign_warrant

from sealshot.runtime.cli.main import main
from sealshot.runtime.public.cover import Region
from sealshot.runtime.public.originals import blocks_of


def read(told: Told, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    capsys.readouterr()
    assert main(["public", "read", str(told.stream), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def covers(picture: dict, index: int) -> dict[str, set[int]]:
    """Which tracks cover the middle of each face."""
    found: dict[str, set[int]] = {}
    for name, (x, y) in places(index).items():
        found[name] = {
            r["track"]
            for r in picture["regions"]
            if r["box"][0] <= x + SIDE / 2 <= r["box"][2]
            and r["box"][1] <= y + SIDE / 2 <= r["box"][3]
        }
    return found


def test_everybody_comes_back_bit_for_bit_and_the_rest_is_the_stream(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = read(told, capsys)
    assert told.restore("all", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["pictures"], summary["restored"]) == (FRAMES, FRAMES)
    assert (told.folder / "all.mkv").stat().st_mode & 0o777 == 0o600
    back, public = planes(told.folder / "all.mkv"), planes(told.stream)
    assert len(back) == FRAMES
    for index, (shown, source, hidden) in enumerate(zip(back, told.source, public, strict=True)):
        boxes = [Region(tuple(r["box"]), SIDE, 1) for r in pictures[index]["regions"]]
        blocks = blocks_of(boxes, *SIZE)[(1,)]
        for plane, original, left, step in zip(shown, source, hidden, (16, 8, 8), strict=True):
            where = blocks.repeat(step, 0).repeat(step, 1)
            assert np.array_equal(plane[where], original[where]), index
            assert np.array_equal(plane[~where], left[~where]), index


def test_one_track_comes_back_and_nobody_else(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = read(told, capsys)
    walker = covers(pictures[1], 1)["walks"]
    assert len(walker) == 1
    assert walker != covers(pictures[1], 1)["stays"]
    asked = walker.pop()
    assert told.restore("one", "--track", str(asked)) == 0
    back, public = planes(told.folder / "one.mkv"), planes(told.stream)
    came_back = 0
    for index, (shown, hidden) in enumerate(zip(back, public, strict=True)):
        regions = pictures[index]["regions"]
        others = [Region(tuple(r["box"]), SIDE, 1) for r in regions if r["track"] != asked]
        changed = shown[0] != hidden[0]
        for x0, y0, x1, y1 in (tuple(max(0, int(v)) for v in region.box) for region in others):
            assert not changed[y0:y1, x0:x1].any(), index
        came_back += bool(changed.any())
        x, y = places(index)["stays"]
        assert not changed[y : y + SIDE, x : x + SIDE].any(), index
    assert 5 <= came_back < FRAMES - 10


def test_a_track_ends_where_two_people_may_change_places(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = read(told, capsys)
    first, meets, last = (pictures[i] for i in (1, 30, FRAMES - 1))
    tracks = [{r["track"] for r in p["regions"]} for p in (first, meets, last)]
    assert all(len(ids) == 2 for ids in tracks)
    assert not tracks[0] & tracks[1]
    assert not tracks[1] & tracks[2]


def test_a_raw_stream_which_has_no_times_is_restored_too(told: Told, tmp_path: Path) -> None:
    raw = ffmpeg(told.stream, tmp_path / "raw.h264", "-c", "copy")
    assert told.restore("plain") == 0
    assert told.restore("raw", stream=raw) == 0
    kept, back = planes(told.folder / "plain.mkv"), planes(told.folder / "raw.mkv")
    for index, (one, other) in enumerate(zip(kept, back, strict=True)):
        assert all((a == b).all() for a, b in zip(one, other, strict=True)), index


def test_a_cut_stream_is_restored_in_part_where_that_is_asked_for(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = ffmpeg(told.stream, tmp_path / "c.mkv", "-t", "0.8", "-c", "copy")
    assert told.restore("cut", stream=stream) == 2
    assert "was cut" in capsys.readouterr().err
    assert not (told.folder / "cut.mkv").exists()
    assert told.restore("cut", "--partial", stream=stream) == 0
    back = planes(told.folder / "cut.mkv")
    assert 10 < len(back) < FRAMES
    x, y = places(3)["stays"]
    area = np.s_[y : y + SIDE, x : x + SIDE]
    assert np.array_equal(back[3][0][area], told.source[3][0][area])


def test_a_warrant_to_open_shots_restores_nobody_and_one_to_restore_opens_none(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_warrant(told.parties, tmp_path / "open.json", capsys, "open")
    rest = ["--policy", str(told.parties.policy), "--request", str(tmp_path / "r.zip")]
    restore = ["restore", str(told.stream), "--vault", str(told.folder / "vault"), *rest]
    assert main([*restore, "--warrant", str(tmp_path / "open.json")]) == 2
    assert "to open shots, not to restore them" in capsys.readouterr().err
    opened = ["open", str(told.folder / "vault"), *rest]
    assert main([*opened, "--warrant", str(tmp_path / "open.json")]) == 2
    assert "other-content" in capsys.readouterr().err
    assert not (tmp_path / "r.zip").exists()


@pytest.mark.parametrize("transcoded", [False, True])
def test_run_seals_the_planes_that_the_source_decodes_to_and_a_strip_outlives_an_encoder(
    make_walk: Callable[..., Path],
    tmp_path: Path,
    parties,
    capsys: pytest.CaptureFixture[str],
    transcoded: bool,
) -> None:
    clip, folder = make_walk(), tmp_path / "told"
    folder.mkdir()
    sign_warrant(parties, folder / "w.json", capsys, "restore")
    run = ["run", str(clip), "--policy", str(parties.camera_policy)]
    run += ["--vault", str(folder / "vault"), "--public", str(folder / "public.mkv")]
    assert main([*run, *(["--message", "strip"] if transcoded else [])]) == 0
    told, stream = Told(parties, folder, planes(clip)), folder / "public.mkv"
    if transcoded:
        stream = ffmpeg(stream, folder / "site.mp4", "-c:v", "libx264", "-crf", "28")
    assert told.restore("all", stream=stream) == 0
    back, public = planes(folder / "all.mkv"), planes(stream)
    assert {plane[0].shape for plane in back} == {(200, 320)}
    for index, (shown, source, hidden) in enumerate(zip(back, told.source, public, strict=True)):
        x, y = 121 + 4 * index, 112  # the face of the portrait
        for plane, original, step in zip(shown, source, (1, 2, 2), strict=True):
            area = np.s_[(y - 24) // step : (y + 24) // step, (x - 24) // step : (x + 24) // step]
            assert np.array_equal(plane[area], original[area]), index
        where = shown[0] != hidden[0][:200]
        assert np.array_equal(shown[0][where], source[0][where]), index
