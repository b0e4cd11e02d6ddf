"""Devices that decode: what is refused, and what is told. No test has one."""

from __future__ import annotations

import logging

import av.codec
import pytest
from av.codec.hwaccel import HWAccel, hwdevices_available

from sealshot.runtime.errors import InputError
from sealshot.runtime.planes import bgr_of
from sealshot.runtime.sandbox.device import CODECS, surface
from sealshot.runtime.sources import frames_of, media, open_source
from sealshot.runtime.sources.reader import Picture

REFUSED = [
    ("clip.mp4", "cuda", {}, "out of reach of the sandbox", "--no-sandbox"),
    ("0", "cuda", {"sandbox": False}, "for files and addresses", "leave it out"),
    ("videotestsrc ! appsink", "cuda", {"sandbox": False}, "for files and addresses", "decoder"),
    (".", "cuda", {"sandbox": False}, "for files and addresses", "leave it out"),
    # PyAV opens any device where it does not know a name, and no decoder of PyAV's wheels has these
    ("clip.mp4", "cuba", {"sandbox": False}, "decodes nothing by 'cuba'", "it decodes by cuda"),
    ("clip.mp4", "qsv", {"sandbox": False}, "decodes nothing by 'qsv'", "it decodes by cuda"),
    ("clip.mp4", "", {"sandbox": False}, "decodes nothing by ''", "it decodes by cuda"),
    ("clip.mp4", "cuda:one", {"sandbox": False}, "cuda:one cannot be opened", "driver"),
    ("clip.mp4", "cuda:99", {"sandbox": False}, "cuda:99 cannot be opened: c", "driver"),
    ("rtsp://127.0.0.1:9/x", "cuda:99", {"sandbox": False}, "cannot be opened: c", "driver"),
]


@pytest.mark.parametrize(("source", "device", "options", "fact", "hint"), REFUSED)
def test_what_no_device_can_do_is_refused_before_anything_opens(
    source, device, options, fact, hint
) -> None:
    with pytest.raises(InputError, match=fact) as caught:
        open_source(source, hwaccel=device, **options)
    assert hint in caught.value.hint
    assert "\n" not in caught.value.fact


def test_ffmpeg_logs_no_more_than_before() -> None:
    before = av.logging.get_level()
    with pytest.raises(InputError):
        open_source("clip.mp4", hwaccel="cuda:99", sandbox=False)
    assert av.logging.get_level() == before


def test_what_a_device_cannot_decode_is_told_once_and_decoded(
    make_video, monkeypatch, caplog
) -> None:
    """The wheels name ``drm``, by which none of their decoders works."""
    assert "drm" in hwdevices_available()
    path = str(make_video())

    def read() -> list[Picture]:
        reader, pictures = media.open_media(path, sandbox=False, device="drm"), []
        while (picture := reader.read()) is not None:
            pictures.append(picture)
        reader.close()
        return pictures

    with open_source(path) as source, caplog.at_level(logging.WARNING):
        expected = [frame.image for frame in frames_of(source)]
        for _ in range(2):
            assert [bgr_of(picture.pixels).tobytes() for picture in read()] == [
                image.tobytes() for image in expected
            ]
    told = [record.getMessage() for record in caplog.records]
    assert told == ["drm does not decode this mjpeg: it is decoded in software"]


def test_the_wheels_decode_by_cuda() -> None:
    for name in CODECS:
        codec = av.codec.Codec(name, "r")
        assert surface(codec, "cuda") == surface(codec, "cuda:1") == "cuda"
        assert surface(codec, "drm") == ""


def test_pyav_decodes_in_software_where_it_finds_no_decoder_for_a_device(make_video) -> None:
    """Why a kind without decoders is refused: nothing else would tell."""
    with av.open(str(make_video()), hwaccel=HWAccel("qsv")) as container:
        assert not container.streams.video[0].codec_context.is_hwaccel
        assert next(container.decode(video=0)).format.name == "yuvj420p"
