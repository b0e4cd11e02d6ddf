"""A public stream that carries its sealed originals, and who still has them after a copy."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import av
import pytest
from restoring import FRAMES, Told, planes

from sealshot.runtime.cli.main import main
from sealshot.runtime.public.attached import attach, attached
from sealshot.runtime.public.message import Message
from sealshot.runtime.public.restore import messages_in_packets, survey

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


@pytest.fixture
def all_in_one(told: Told) -> Path:
    path = told.folder / "one-file.mkv"
    if not path.exists():
        vault = ["--vault", str(told.folder / "vault")]
        assert main(["public", "attach", str(told.stream), *vault, "-o", str(path)]) == 0
    return path


def messages(path: Path) -> list[Message | None]:
    return [message for _, message in messages_in_packets(path)]


def without_vault(told: Told, stream: Path, name: str) -> int:
    """Go the whole way from a warrant to what comes back, with the stream alone."""
    policy = ["--warrant", str(told.folder / "w.json"), "--policy", str(told.parties.policy)]
    request = told.folder / f"{name}.zip"
    code = main(["restore", str(stream), *policy, "--request", str(request)])
    if code:
        return code
    given = [*policy, *told.answers(request, name), "-o", str(told.folder / f"{name}.mkv")]
    return main(["restore", str(stream), *given, "--json"])


def test_one_file_gives_everybody_back_without_the_vault(
    told: Told,
    all_in_one: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wanted = survey(told.stream).wanted(told.stream, frozenset())
    assert set(attached(all_in_one)) == set(wanted.values())
    assert list(messages_in_packets(all_in_one)) == list(messages_in_packets(told.stream))
    capsys.readouterr()
    assert without_vault(told, all_in_one, "carried") == 0
    told_of = capsys.readouterr()
    assert json.loads(told_of.out)["restored"] == len(told.source)
    assert "no log without --vault" in told_of.err
    assert told.restore("kept") == 0
    for carried, kept in zip(
        planes(told.folder / "carried.mkv"), planes(told.folder / "kept.mkv"), strict=True
    ):
        assert all((one == other).all() for one, other in zip(carried, kept, strict=True))


def test_a_container_that_was_attached_under_the_name_of_another_brings_nobody_back(
    told: Told, all_in_one: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, stream = attached(all_in_one), tmp_path / "swapped.mkv"
    names = sorted(there)
    swapped = {name: there[other] for name, other in zip(names, names[1:] + names[:1], strict=True)}
    attach(told.stream, swapped, stream)
    capsys.readouterr()
    assert without_vault(told, all_in_one, "fair") == 0
    policy = ["--warrant", str(told.folder / "w.json"), "--policy", str(told.parties.policy)]
    answers = told.answers(told.folder / "fair.zip", "fair")
    capsys.readouterr()
    assert main(["restore", str(stream), *policy, *answers, "-o", str(tmp_path / "o.mkv")]) == 2
    assert "under the name of another" in capsys.readouterr().err
    assert not list(tmp_path.glob("o.mkv*"))


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "options", "kept", "says"),
    [
        ("copy.mkv", ("-map", "0", "-c", "copy"), True, True),
        ("copy.mkv", ("-map", "0", "-c:v", "libx264", "-c:t", "copy"), True, False),
        ("copy.mkv", ("-c", "copy"), False, True),
        ("copy.mp4", ("-c", "copy"), False, True),
        ("copy.mkv", ("-c:v", "libx264"), False, False),
    ],
)
def test_what_a_copy_keeps(
    all_in_one: Path,
    tmp_path: Path,
    name: str,
    options: tuple[str, ...],
    kept: bool,
    says: bool,
) -> None:
    """Containers, and what each picture says of itself in its user data."""
    copy = tmp_path / name
    ffmpeg = ["ffmpeg", "-v", "error", "-i", str(all_in_one), *options, str(copy)]
    subprocess.run(ffmpeg, check=True)
    assert attached(copy) == (attached(all_in_one) if kept else {})
    assert messages(copy) == (messages(all_in_one) if says else [None] * FRAMES)


def test_a_copy_by_pyav_keeps_what_pictures_say_alone(all_in_one: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mkv"
    with av.open(str(all_in_one)) as source, av.open(str(copy), "w") as target:
        video = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video
                target.mux(packet)
    assert attached(copy) == {}
    assert messages(copy) == messages(all_in_one)


def test_a_stream_without_any_says_so(
    told: Told,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert without_vault(told, told.stream, "none") == 2
    assert "-map 0 only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [("all.mp4", "takes no attachments"), ("there.mkv", "exists"), ("no/all.mkv", "cannot write")],
)
def test_nothing_is_written_elsewhere(
    told: Told,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    said: str,
) -> None:
    (tmp_path / "there.mkv").write_bytes(b"mine")
    vault = ["--vault", str(told.folder / "vault")]
    assert main(["public", "attach", str(told.stream), *vault, "-o", str(tmp_path / name)])
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["there.mkv"]
    assert (tmp_path / "there.mkv").read_bytes() == b"mine"


def test_a_disk_that_is_full_at_the_very_end_leaves_nothing(
    told: Told, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """FFmpeg writes the rest where it closes a file, and does not tell what comes of that."""
    with (small_disk / "filler").open("wb") as filler:
        filler.write(bytes(shutil.disk_usage(small_disk).free - 4096))
    video, public = small_disk / "out.mkv", small_disk / "all.mkv"
    attach = ["public", "attach", str(told.stream), "--vault", str(told.folder / "vault")]
    assert main([*attach, "-o", str(public)]) == 1
    assert f"cannot write {public}: No space left on device" in capsys.readouterr().err
    assert main(["deidentify", str(told.stream), "-o", str(video), "--style", "solid"]) == 1
    assert f"cannot write {video}: No space left on device" in capsys.readouterr().err
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


@needs_ffmpeg
def test_pictures_that_were_cut_off_are_told_where_they_come_back(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An edit list hides them in MP4, up to the cut; Matroska has none."""
    whole, cut, out = tmp_path / "whole.mp4", tmp_path / "cut.mp4", tmp_path / "all.mkv"
    for options in (
        ["-i", told.stream, "-c", "copy", whole],
        ["-ss", "0.4", "-i", whole, "-c", "copy", cut],
    ):
        subprocess.run(["ffmpeg", "-v", "error", "-y", *options], check=True)
    vault = ["--vault", str(told.folder / "vault")]
    assert main(["public", "attach", str(cut), *vault, "-o", str(out)]) == 0
    assert "shows pictures again that an edit list cut off" in capsys.readouterr().err
    assert main(["public", "attach", str(whole), *vault, "-o", str(tmp_path / "whole.mkv")]) == 0
    assert "edit list" not in capsys.readouterr().err
