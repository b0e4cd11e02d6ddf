"""Files as the world has them, made by ffmpeg: the frames, times and colours that ffmpeg gives.

Each is made from the demo's own rendered clip. What is right is what `ffprobe` says and what a
decode by `ffmpeg` itself gives, another build of FFmpeg than the one inside PyAV.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from covering import recorded, same, whole
from odd_files import FRAMES, TONE, X264, ffmpeg, joined, probe, write_clip

from sealshot.runtime.demo.clip import FPS
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.stages import open_stages
from sealshot.runtime.pipeline.watch import watch
from sealshot.runtime.public.decoded import as_raw
from sealshot.runtime.public.picture import PLANAR, planes_of
from sealshot.runtime.sources import frames_of, open_source
from sealshot.runtime.types import Frame

pytestmark = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="makes its files with ffmpeg")

STAMPS_MS = "-fps_mode passthrough -enc_time_base 1/1000"
STAMP = "best_effort_timestamp_time"
COLOURS = 4.0
"""Mean difference of pictures, in grey levels: two builds of FFmpeg round and scale otherwise."""


@dataclass(frozen=True)
class Odd:
    """How a file is made, and what a player makes of it."""

    make: str
    """Options of ffmpeg between the base clip and the file."""
    then: str = ""
    """Options of a second ffmpeg that copies the first one's file."""
    show: str = ""
    """Filters that make of the decoded frames what a player shows."""
    damage: Callable[[Path], None] | None = None
    said: str = ""
    """What is told; nothing else is."""
    frames: int = FRAMES


def damage_packet(number: int, count: int = 6) -> Callable[[Path], None]:
    """Return what overwrites bytes at the head of one video packet."""

    def damage(path: Path) -> None:
        packets = probe(path, "packet=pos,size")["packets"]
        data = bytearray(path.read_bytes())
        start = int(packets[number]["pos"])
        data[start : start + count] = b"\xff" * count
        path.write_bytes(data)

    return damage


def cut_off(share: float) -> Callable[[Path], None]:
    """Return what leaves the first share of a file only."""
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def void_default_duration(path: Path) -> None:
    """Take the frame rate out of a WebM file, as browsers write none."""
    data = bytearray(path.read_bytes())
    at = data.find(b"\x23\xe3\x83")
    length = 4 + (data[at + 3] & 0x7F)
    data[at : at + length] = b"\xec" + bytes([0x80 | (length - 2)]) + bytes(length - 2)
    path.write_bytes(data)


def latin_1(path: Path) -> None:
    """Give a file a title that is not UTF-8."""
    path.write_bytes(path.read_bytes().replace(b"Koeln", "Köln ".encode("latin-1")))


FIELDS = "-vf interlace=lowpass=off:scan=tff"
WOVEN = "bwdif=mode=send_frame"
FILES: dict[str, Odd] = {
    # codecs and containers
    "h264.mp4": Odd(X264),
    "h264-b-frames.mp4": Odd(X264.replace("ultrafast", "fast") + " -bf 3"),
    "h264-open-gop.ts": Odd(X264.replace("ultrafast", "fast") + " -bf 3 -g 10 -flags -cgop"),
    "h264-10-bit.mkv": Odd("-c:v libx264 -preset ultrafast -crf 12 -pix_fmt yuv420p10le"),
    "h264-fragmented.mp4": Odd(X264 + " -movflags frag_keyframe+empty_moov -g 10"),
    "h264.flv": Odd(X264),
    "raw.h264": Odd(X264),
    "hevc.mp4": Odd("-c:v libx265 -preset ultrafast -crf 14 -x265-params log-level=none"),
    "hevc-10-bit.mkv": Odd(
        "-c:v libx265 -preset ultrafast -crf 14 -pix_fmt yuv420p10le -x265-params log-level=none"
    ),
    "av1.mp4": Odd("-c:v libaom-av1 -cpu-used 8 -crf 20 -usage realtime"),
    "vp9.webm": Odd("-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 4M"),
    "mpeg1.mpg": Odd("-c:v mpeg1video -q:v 2"),
    "mpeg2.vob": Odd("-c:v mpeg2video -q:v 2 -bf 2 -f vob"),
    "mpeg4.avi": Odd("-c:v mpeg4 -q:v 2 -bf 2"),
    # AVI keeps the order of decoding, and no time of a picture
    "h264-b-frames.avi": Odd(X264.replace("ultrafast", "fast") + " -bf 3"),
    "title-in-latin-1.avi": Odd("-c:v mpeg4 -q:v 2 -metadata title=Koeln", damage=latin_1),
    "motion-jpeg.avi": Odd("-c:v mjpeg -q:v 2 -pix_fmt yuvj420p"),
    "prores.mov": Odd("-c:v prores_ks -profile:v 2"),
    "wmv2.asf": Odd("-c:v wmv2 -q:v 2"),
    "theora.ogv": Odd("-c:v libtheora -q:v 9"),
    "huffyuv.avi": Odd("-c:v huffyuv -pix_fmt yuv422p"),
    "ffv1.nut": Odd("-c:v ffv1 -pix_fmt yuv420p"),
    "raw.y4m": Odd("-pix_fmt yuv420p"),
    "animated.gif": Odd("-filter_complex split[a][b];[a]palettegen[p];[b][p]paletteuse"),
    "animated.apng": Odd("-c:v apng -plays 1"),
    "grey.mkv": Odd("-c:v ffv1 -pix_fmt gray"),
    # shape of the picture
    "sar-2-1.mp4": Odd(
        "-vf scale=160:180:flags=area,setsar=2 " + X264, show="scale=320:180:flags=bilinear"
    ),
    "sar-8-9.mpg": Odd(
        "-vf scale=320:160,setsar=8/9 -c:v mpeg2video -q:v 2 -aspect 16:9",
        show="scale=320:180:flags=bilinear",
    ),
    "rotated.mp4": Odd(X264 + " -metadata:s:v rotate=90", then="-c copy"),
    "upside-down.mp4": Odd(X264 + " -metadata:s:v rotate=180", then="-c copy"),
    # colours
    "bt709-full.mp4": Odd(
        "-vf scale=out_color_matrix=bt709:out_range=full -color_range pc -colorspace bt709 " + X264
    ),
    "bt601-limited.mkv": Odd(
        "-vf scale=out_color_matrix=bt601:out_range=limited -colorspace smpte170m " + X264
    ),
    "bt2020.mkv": Odd(
        "-vf scale=out_color_matrix=bt2020 -colorspace bt2020nc "
        "-c:v libx264 -preset ultrafast -crf 12 -pix_fmt yuv420p10le"
    ),
    # fields
    "interlaced-h264.ts": Odd(
        f"{FIELDS} {X264} -flags +ilme+ildct -x264opts tff=1", show=WOVEN, frames=12
    ),
    "interlaced-mpeg2.mpg": Odd(
        f"{FIELDS} -c:v mpeg2video -q:v 2 -flags +ilme+ildct -r 25", show=WOVEN, frames=23
    ),
    # times
    "variable-rate.mkv": Odd(
        f"-vf setpts='(N*40+mod(N*N*7,30))/1000/TB' {STAMPS_MS} " + X264,
    ),
    "gap.mkv": Odd(f"-vf setpts='(N*40+gte(N,12)*5000)/1000/TB' {STAMPS_MS} {X264}"),
    "long-gap.mkv": Odd(f"-vf setpts='(N*40+gte(N,12)*500000)/1000/TB' {STAMPS_MS} {X264}"),
    "late-start.mkv": Odd(f"-vf setpts='(N*40+60000)/1000/TB' {STAMPS_MS} {X264}"),
    "one-a-second.mp4": Odd("-vf setpts=N/TB -r 1 " + X264),
    "two-a-minute.mp4": Odd("-vf setpts=N*30/TB -fps_mode passthrough " + X264),
    "browser.webm": Odd(
        f"-vf setpts='(N*40+mod(N*N*7,30))/1000/TB' {STAMPS_MS} "
        "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 4M",
        damage=void_default_duration,
    ),
    "audio-longer.wmv": Odd(f"{TONE} -c:v wmv2 -q:v 2 -c:a wmav2"),
    "audio-longer.mkv": Odd(f"{TONE} {X264} -c:a aac"),
    "length-of-another.nut": Odd(
        "-frames:v 12 -metadata:s:v DURATION=00:00:09.000 -c:v ffv1 -pix_fmt yuv420p", frames=12
    ),
    "clock-overflows.ts": Odd(
        X264.replace("ultrafast", "fast") + " -bf 3 -output_ts_offset 95441.8"
    ),
    "edit-list.mp4": Odd(X264 + " -g 25 -bf 2", then="-ss 0.48 -c copy", frames=13),
    # damage
    "damaged-packet.mp4": Odd(
        X264 + " -g 50", damage=damage_packet(12), said="could not be decoded", frames=24
    ),
    "damaged-jpeg.avi": Odd("-c:v mjpeg -q:v 2 -pix_fmt yuvj420p", damage=damage_packet(12, 40)),
    "cut-off.mkv": Odd("-c:v ffv1 -pix_fmt yuv420p", damage=cut_off(0.6), said="ended early"),
    "cut-off-with-frames-held-back.flv": Odd(
        X264.replace("ultrafast", "fast") + " -bf 3 -flvflags no_duration_filesize",
        damage=cut_off(0.6),
        said="could not be decoded",
    ),
    "cut-off.ts": Odd("-c:v mpeg2video -q:v 2 -bf 0", damage=cut_off(0.6)),
}


def shown(path: Path, filters: str, size: tuple[int, int]) -> np.ndarray:
    """Return the pictures that ffmpeg itself makes of a file: ``uint8 [n, h, w, 3]``."""
    graph = ",".join(f for f in (filters, "scale=in_range=auto", "format=bgr24") if f)
    command = ["ffmpeg", "-v", "quiet", "-i", str(path), "-an", "-vf", graph]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    done = subprocess.run(command, check=True, capture_output=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, size[1], size[0], 3)


def make(name: str, odd: Odd, base: Path, folder: Path) -> Path:
    path = folder / name
    if odd.then:
        ffmpeg("-i", base, *odd.make.split(), folder / f"first-{name}")
        ffmpeg(
            *before_input(odd.then), "-i", folder / f"first-{name}", *after_input(odd.then), path
        )
    else:
        ffmpeg("-i", base, *odd.make.split(), path)
    if odd.damage:
        odd.damage(path)
    return path


def before_input(options: str) -> list[str]:
    return options.split()[:2] if options.startswith("-ss") else []


def after_input(options: str) -> list[str]:
    return options.split()[len(before_input(options)) :]


def read(path: Path, *, sandbox: bool = True) -> list[Frame]:
    with open_source(str(path), sandbox=sandbox) as source:
        return list(frames_of(source))


def contents(frame: Frame) -> tuple[object, ...]:
    """All that a frame holds."""
    assert frame.decoded is not None
    raw = as_raw(frame.decoded)
    size, form = (raw.frame.width, raw.frame.height), raw.frame.format.name
    planes = planes_of(raw.frame) if form.replace("yuvj", "yuv") in PLANAR else ()
    pictures = tuple((a.shape, a.tobytes()) for a in (frame.image, *planes))
    return frame.index, frame.time_s, size, form, raw.turn, pictures


@pytest.mark.parametrize("name", FILES)
def test_frames_times_and_colours_are_those_of_ffmpeg(name, base, tmp_path, reports) -> None:
    odd = FILES[name]
    path = make(name, odd, base, tmp_path)
    frames = read(path)
    height, width = frames[0].image.shape[:2]
    pictures = shown(path, odd.show, (width, height))
    assert len(frames) == len(pictures)
    if "cut-off" not in name:
        assert len(frames) == odd.frames
    apart = [np.abs(f.image.astype(int) - p).mean() for f, p in zip(frames, pictures, strict=True)]
    assert max(apart) < COLOURS
    said = probe(path, f"frame={STAMP}")["frames"]
    stamps = [float(f[STAMP]) for f in said if STAMP in f]  # raw H.264 has none
    if len(stamps) == len(frames):  # ffprobe counts frames that an edit list hides
        assert [f.time_s for f in frames] == pytest.approx(
            [s - stamps[0] for s in stamps], abs=2e-3
        )
    assert len(reports) == bool(odd.said)
    assert odd.said in "".join(reports)
    here = read(path, sandbox=False)
    assert list(map(contents, frames)) == list(map(contents, here))
    covered = recorded(path)
    assert same(frames, covered)
    assert list(map(whole, covered)) == list(map(whole, recorded(path, sandbox=False)))


def without(path: Path, lost: set[int]) -> Path:
    """Copy a video without some of its packets, as a network loses them."""
    copy = path.with_name("lossy.mkv")
    with av.open(str(path)) as whole, av.open(str(copy), "w") as rest:
        stream = rest.add_stream_from_template(whole.streams.video[0])
        for number, packet in enumerate(whole.demux(video=0)):
            if number not in lost and packet.dts is not None:
                packet.stream = stream
                rest.mux(packet)
    return copy


def test_a_lost_picture_of_hevc_does_not_hide_all_up_to_the_next_key_frame(
    base, tmp_path, reports
) -> None:
    """FFmpeg would show no more. Where all may see the pictures ghosts are left out, and told."""
    path = tmp_path / "whole.mkv"
    x265 = "-c:v libx265 -preset ultrafast -crf 14 -x265-params log-level=none:bframes=0"
    ffmpeg("-i", base, *f"{x265}:keyint=15:min-keyint=15".split(), path)
    lossy = without(path, {8})
    with open_source(str(lossy), decoded=False) as source:
        frames = list(frames_of(source))
    assert len(frames) == FRAMES - 1 == len(probe(lossy, f"frame={STAMP}")["frames"])
    assert reports == []
    assert len(read(lossy)) == FRAMES - (15 - 8)
    assert "passed over: 6" in reports[0]
    assert same(read(lossy), recorded(lossy))
    assert "6 damaged packets" in reports[-1]
    # what comes before the first key frame has nothing to refer to
    with open_source(str(without(path, {0})), decoded=False) as source:
        assert len(list(source)) == FRAMES - 15


@pytest.mark.parametrize("codec", [X264, "-c:v mpeg2video -q:v 2 -bf 0"])
def test_a_clock_that_begins_anew_is_none_that_overflowed(base, tmp_path, reports, codec) -> None:
    """FFmpeg itself goes on 26.5 hours later."""
    path = joined(base, tmp_path, f"{codec} -output_ts_offset 500", codec)
    times = [frame.time_s for frame in read(path)]
    assert times == pytest.approx([n / FPS for n in range(2 * FRAMES)], abs=2e-3)
    assert same(read(path), recorded(path))
    assert reports == []


def test_pixels_that_change_their_shape_on_the_way_are_square_all_the_time(base, tmp_path) -> None:
    parts = [f"-vf scale=160:180,setsar={sar} {X264}" for sar in (2, 1)]
    path = joined(base, tmp_path, *parts)
    shapes = [frame.image.shape[:2] for frame in read(path)]
    assert shapes[:FRAMES] == [(180, 320)] * FRAMES
    assert shapes[FRAMES:] == [(180, 160)] * FRAMES
    assert [one.image.shape[:2] for one in recorded(path)] == shapes


PEOPLE: dict[str, Odd] = {
    "interlaced.mpg": Odd("-c:v mpeg2video -q:v 2 -flags +ilme+ildct -vf setfield=tff"),
    "sar-2-1.mp4": Odd(f"-vf scale=480:540:flags=area,setsar=2 {X264}"),
    "damaged.mp4": Odd(X264 + " -g 50", damage=damage_packet(12)),
    "browser.webm": Odd(
        "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 8M", damage=void_default_duration
    ),
    "one-a-second.mp4": Odd(f"-frames:v 8 -vf setpts=N/TB -r 1 {X264}"),
}


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same second in the size that the demo has: two people."""
    path = tmp_path_factory.mktemp("odd") / "scene.mkv"
    return write_clip(path, "-c:v", "huffyuv")


@pytest.mark.parametrize("name", PEOPLE)
def test_the_people_are_those_of_the_clip_that_a_file_was_made_from(name, scene, tmp_path) -> None:
    path = make(name, PEOPLE[name], scene, tmp_path)
    settings = Settings(source=str(path), engine="onnxruntime", precision="fp32")
    stages = open_stages(settings)
    with open_source(str(path)) as source:
        watch(source, stages, [])
    assert stages.selector.people_seen == 2
