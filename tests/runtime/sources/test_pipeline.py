"""GStreamer pipelines: what they give is read, and what is typed wrong is said at once."""

from __future__ import annotations

import sys
import sysconfig
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from sealshot.runtime.errors import InputError
from sealshot.runtime.sources import open_source
from sealshot.runtime.sources import pipeline as pipelines
from sealshot.runtime.types import Frame

BINDINGS = Path("/usr/lib/python3/dist-packages/gi")
BGR = "videoconvert ! video/x-raw,format=BGR ! appsink"


@pytest.fixture
def gst(monkeypatch, tmp_path):
    """The bindings of the distribution, without the rest of its packages."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    if "gi" not in sys.modules and not list(BINDINGS.glob(f"_gi{suffix}")):
        pytest.skip(f"no PyGObject for this Python: {BINDINGS}/_gi{suffix} is not there")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "gi").symlink_to(BINDINGS)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return pipelines.gstreamer()[0]


def frames_of(spec: str, **options: object) -> list[Frame]:
    with open_source(spec, **options) as source:
        return [item for item in source if isinstance(item, Frame)]


def test_a_recording_is_read_as_it_is_and_as_fast_as_it_is_read(gst, make_video, reports) -> None:
    path = make_video(frames=50, size=(64, 48), fps=10)
    begun = time.monotonic()
    seen = frames_of(f'filesrc location="{path}" ! decodebin ! {BGR}')
    assert time.monotonic() - begun < 4  # it lasts for 5 s
    plain = frames_of(str(path))
    assert [f.time_s for f in seen] == pytest.approx([f.time_s for f in plain])
    assert len(seen) == 50
    for one, other in zip(seen, plain, strict=True):
        assert np.abs(one.image.astype(int) - other.image).max() <= 3


@pytest.mark.parametrize("kind", ["BGR", "BGRx", "BGRA", "GRAY8"])
def test_rows_that_are_padded_and_pixels_that_are_oblong_come_right(gst, tmp_path, kind) -> None:
    """81 pixels of 3 bytes are no multiple of 4; two of them are shown as one."""
    picture = np.zeros((60, 81, 3), np.uint8)
    picture[:30, :, 0], picture[30:, :40, 1], picture[30:, 40:, 2] = 200, 120, 90
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture)
    pictures = f'multifilesrc location="{tmp_path}/%d.png" stop-index=2 caps=image/png'
    caps = f"video/x-raw,format={kind},pixel-aspect-ratio=2/1"
    pipeline = f"{pictures},framerate=5/1 ! pngdec ! videoconvert ! video/x-raw,format={kind}"
    seen = frames_of(f'{pipeline} ! capssetter caps="{caps}" ! appsink')
    assert len(seen) == 3
    assert seen[0].image.shape == (60, 162, 3)
    corners = seen[0].image[5, 5], seen[0].image[55, 5], seen[0].image[55, 150]
    colours = [[200, 0, 0], [0, 120, 0], [0, 0, 90]]
    if kind == "GRAY8":
        assert all(len(set(map(int, corner))) == 1 for corner in corners)
    else:
        assert np.abs(np.array(corners, int) - colours).max() <= 4


def test_a_camera_gives_frames_at_its_own_pace(gst) -> None:
    with open_source(f"videotestsrc is-live=true ! {BGR}") as source:
        assert source.live
        items = iter(source)
        times = [next(items).time_s for _ in range(5)]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("videotestsrcc ! appsink", 'no element "videotestsrcc"'),
        ("videotestsrc patern=1 ! appsink", 'no property "patern" in element "videotestsrc"'),
        ("videotestsrc ! ! appsink", "syntax error"),
        ("videotestsrc ! videoconvert", "no appsink"),
        ("videotestsrc ! tee name=t ! appsink t. ! appsink", "2 appsinks"),
        ("videotestsrc ! video/x-raw,format=NV12 ! appsink", "NV12 and not BGR"),
        ("audiotestsrc ! appsink", "not BGR"),
        ('filesrc location="/nowhere.mp4" ! decodebin ! appsink', "Resource not found"),
    ],
)
def test_what_is_typed_wrong_is_said_at_once(gst, spec, why) -> None:
    with pytest.raises(InputError, match=why):
        open_source(spec)


def test_a_recording_that_breaks_off_says_so(gst, make_video, caplog) -> None:
    path = make_video(frames=4)
    damaged = f'filesrc location="{path}" ! decodebin ! identity error-after=3 ! {BGR}'
    assert len(frames_of(damaged)) == 2
    assert "the pipeline broke off: Failed after iterations as requested" in caplog.text


def test_a_camera_that_is_away_is_waited_for(gst, monkeypatch, reports) -> None:
    with open_source("v4l2src device=/dev/video99 ! videoconvert ! appsink") as source:
        assert not isinstance(next(iter(source)), Frame)


def test_a_password_of_a_pipeline_is_not_told(gst) -> None:
    with pytest.raises(InputError) as caught:
        open_source(
            "rtspsrc location=rtsp://me:hunter2@127.0.0.1/a user-pw=hunter2 nosuch=1 ! appsink"
        )
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_a_pipeline_without_the_bindings_is_refused(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "gi", None)
    with pytest.raises(InputError, match="needs the bindings of GStreamer") as caught:
        open_source("videotestsrc ! appsink")
    assert "python3-gi" in caught.value.hint
