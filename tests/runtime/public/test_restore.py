"""`sealshot restore`: who is asked for comes back bit for bit, everybody else stays hidden."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from restoring import FRAMES, SIDE, SIZE, Told, places, planes, sign_warrant

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


def ffmpeg(source: Path, to: Path, *options: str) -> Path:
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", source, *options, to], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return to


def replaced(told: Told, folder: Path) -> Path:
    """A vault in which each container has the name of another."""
    vault = folder / "vault"
    shutil.copytree(told.folder / "vault", vault)
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


def test_another_s_container_in_the_place_of_one_is_refused(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told.restore("whole") == 0
    options = [*told.answers(told.folder / "whole.zip", "whole"), "-o", str(tmp_path / "o.mkv")]
    capsys.readouterr()
    assert main(told.arguments(told.stream, replaced(told, tmp_path), *options)) == 2
    assert "under the name of another" in capsys.readouterr().err
    assert not list(tmp_path.glob("o.mkv*"))


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
