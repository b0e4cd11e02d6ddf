"""The message in the stream: what it holds, what it survives, and what is not taken for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealshot.runtime.cli.main import main
from sealshot.runtime.public.cover import Region
from sealshot.runtime.public.message import Message, from_bytes, message_of, nal_unit, to_bytes

MakeClip = Callable[..., Path]
BYTES = to_bytes(Message(bytes(range(16)), 7, ((3, -5, 0, 60, 400), (4, 0, 0, 1, 1))))


def test_a_region_of_any_size_fits() -> None:
    message = message_of(bytes(16), 1, [Region((-1e6, -2.4, 1e6, 9.6), 3.0, track=8)])
    assert message.regions == ((8, -32768, -2, 32767, 10),)
    assert from_bytes(to_bytes(message)) == message


@pytest.mark.parametrize("at", range(len(BYTES)))
def test_a_changed_byte_is_no_message(at: int) -> None:
    changed = bytearray(BYTES)
    changed[at] ^= 0x41
    assert from_bytes(bytes(changed)) is None
    assert from_bytes(BYTES[:at]) is None


@given(st.binary(max_size=80))
def test_what_is_not_ours_is_passed_over(data: bytes) -> None:
    assert from_bytes(data) is None


@given(st.lists(st.sampled_from([0, 1, 2, 3, 255]), max_size=600).map(bytes))
def test_no_start_code_stands_in_a_nal_unit(payload: bytes) -> None:
    for codec in ("h264", "h265"):
        unit = nal_unit(payload, codec)[4:]
        assert all(code not in unit for code in (b"\0\0\0", b"\0\0\1", b"\0\0\2"))


def copied(path: Path, to: Path) -> Path:
    with av.open(str(path)) as source, av.open(str(to), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    return to


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_each_picture_says_what_is_covered_also_after_a_copy(
    make_walk: MakeClip,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    codec: str,
    suffix: str,
) -> None:
    out = tmp_path / f"out{suffix}"
    assert main(["deidentify", str(make_walk()), "-o", str(out), "--codec", codec]) == 0
    capsys.readouterr()
    for path in (out, copied(out, tmp_path / "copy.mkv"), copied(out, tmp_path / "copy.mp4")):
        assert main(["public", "read", str(path), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert [one["picture"] for one in told] == list(range(12))
        assert len({one["stream"] for one in told}) == 1
        for index, one in enumerate(told):  # the portrait's face is at 121, 112 and walks
            x, y = 121 + 4 * index, 112
            boxes = [region["box"] for region in one["regions"]]
            assert any(x0 < x < x1 and y0 < y < y1 for x0, y0, x1, y1 in boxes)
    assert main(["public", "read", str(out)]) == 0
    assert "pictures 0 to 11, 12 of 12 are here" in capsys.readouterr().out


def test_a_stream_that_says_nothing_is_told(
    make_clip: MakeClip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["public", "read", str(make_clip())]) == 2
    assert "says nothing of itself in 10 pictures" in capsys.readouterr().err
    (tmp_path / "x.mp4").write_bytes(bytes(99))
    assert main(["public", "read", str(tmp_path / "x.mp4")]) == 2
    assert "is not a video that FFmpeg can read" in capsys.readouterr().err
    for action in (["read"], ["attach", "--vault", str(tmp_path), "-o", str(tmp_path / "o.mkv")]):
        assert main(["public", *action, str(tmp_path / "none.mp4")]) == 2
        assert "there is no video file" in capsys.readouterr().err
        assert main(["public", *action, str(tmp_path)]) == 2
        assert (
            capsys.readouterr().err == f"error: {tmp_path} is a folder\nhint: name one video file\n"
        )


@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".h264"), ("h265", ".hevc")])
def test_a_raw_stream_without_times_says_what_it_carries(
    make_walk: MakeClip,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    codec: str,
    suffix: str,
) -> None:
    out, raw = tmp_path / "out.mkv", tmp_path / f"raw{suffix}"
    assert main(["deidentify", str(make_walk()), "-o", str(out), "--codec", codec]) == 0
    copied(out, raw)
    told = []
    for path in (out, raw):
        capsys.readouterr()
        assert main(["public", "read", str(path), "--json"]) == 0
        told.append([{**one, "time_s": 0} for one in json.loads(capsys.readouterr().out)])
    assert told[1] == told[0]


def test_what_an_edit_list_hides_is_not_counted(
    make_clip: MakeClip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, cut = tmp_path / "out.mp4", tmp_path / "cut.mp4"
    assert main(["deidentify", str(make_clip()), "-o", str(out)]) == 0
    with av.open(str(out)) as source, av.open(str(cut), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                assert packet.time_base
                four = round(Fraction(4, 25) / packet.time_base)
                packet.pts, packet.dts = (packet.pts or 0) - four, (packet.dts or 0) - four
                packet.stream = stream
                target.mux(packet)
    capsys.readouterr()
    assert main(["public", "read", str(cut)]) == 0
    assert "pictures 4 to 9, 6 of 6 are here" in capsys.readouterr().out
