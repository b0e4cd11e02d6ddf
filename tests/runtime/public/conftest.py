"""Videos without a face, made through PyAV as a test wants them, and a public stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from restoring import FRAMES, NOBODY, ORIGIN, SIZE, Both, Told, sign_warrant

from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.pipeline.sinks import End, Seen
from sealshot.runtime.public.hiding import Hiding
from sealshot.runtime.public.picture import planes_of
from sealshot.runtime.public.sink import PublicSink
from sealshot.runtime.types import Frame, Raw, Tracks
from sealshot.runtime.vault.keeper import Keeper

MakeClip = Callable[..., Path]


@dataclass(frozen=True)
class Facts:
    """What a player would go by."""

    codec: str
    format: str
    size: tuple[int, int]
    times_s: tuple[float, ...]
    pixel_aspect: Fraction
    colours: tuple[int, int, int, int]
    streams: tuple[str, ...]
    metadata: dict[str, str]
    luma: np.ndarray
    """Of the first picture."""


@pytest.fixture
def facts() -> Callable[[Path], Facts]:
    """Read what a video is."""

    def read(path: Path) -> Facts:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            frames = list(container.decode(stream))
            plane = frames[0].planes[0]
            luma = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
            return Facts(
                context.name,
                context.pix_fmt or "",
                (context.width, context.height),
                tuple(round(float(frame.time or 0), 3) for frame in frames),
                stream.sample_aspect_ratio or Fraction(0),
                (
                    context.color_range,
                    context.color_primaries,
                    context.color_trc,
                    context.colorspace,
                ),
                tuple(s.type for s in container.streams),
                {key.lower(): value for key, value in container.metadata.items()},
                luma[:, : plane.width].copy(),
            )

    return read


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """Make a clip; the first picture is a ramp from left to right, later ones are darker."""

    def make(
        name: str = "clip.mkv",
        *,
        ms: tuple[int, ...] = tuple(range(0, 400, 40)),
        format: str = "yuv420p",
        size: tuple[int, int] = (96, 64),
        aspect: Fraction = Fraction(0),
        colours: tuple[int, int, int, int] = (1, 1, 1, 1),
        turned: int = 0,
        sound: str = "",
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            container.metadata["title"] = "a name"
            stream = container.add_stream("ffv1" if name.endswith(".mkv") else "libx264", rate=25)
            assert isinstance(stream, av.VideoStream)
            context = stream.codec_context
            context.width, context.height = size
            context.pix_fmt, context.time_base = format, Fraction(1, 1000)
            if aspect:
                context.sample_aspect_ratio = aspect
            context.color_range, context.color_primaries = colours[:2]
            context.color_trc, context.colorspace = colours[2:]
            if turned:
                stream.set_display_rotation(turned)
            track = container.add_stream(sound, rate=8000) if sound else None
            for index, at in enumerate(ms):
                grey = np.tile(np.linspace(40, 200, size[0]) - index, (size[1], 1))
                frame = av.VideoFrame.from_ndarray(grey.astype(np.uint8), "gray")
                frame = frame.reformat(format=format, src_color_range=2, dst_color_range=2)
                frame.pts, frame.time_base = at, Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if track is not None:
                assert isinstance(track, av.AudioStream)
                for index in range(4):
                    silence = np.zeros((1, 1024), np.float32 if sound == "aac" else np.int16)
                    form = "fltp" if sound == "aac" else "s16"
                    heard = av.AudioFrame.from_ndarray(silence, form, "mono")
                    heard.sample_rate, heard.pts = 8000, index * 1024
                    container.mux(track.encode(heard))
                container.mux(track.encode(None))
        return path

    return make


@pytest.fixture
def make_walk(tmp_path: Path) -> MakeClip:
    """Make a clip, without loss, in which the portrait of the demo walks to the right."""

    def make(frames: int = 12, size: tuple[int, int] = (320, 200)) -> Path:
        portrait, path = cv2.imread(str(PORTRAIT)), tmp_path / "walk.mkv"
        assert portrait is not None
        portrait = portrait[:180]
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            for index in range(frames):
                image = np.full((size[1], size[0], 3), 90, np.uint8)
                x = 4 * index
                width = min(portrait.shape[1], size[0] - x)
                image[: portrait.shape[0], x : x + width] = portrait[:, :width]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
            container.mux(stream.encode(None))
        return path

    return make


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, parties) -> Told:
    """A public stream of noise in which two faces cross, and its originals in a vault."""
    folder = tmp_path_factory.mktemp("restore")
    rng, source = np.random.default_rng(5), []
    with Keeper(folder / "vault", parties.sealing()) as keeper:
        sink = PublicSink(
            folder / "public.mkv",
            "h264",
            [Both()],
            Hiding("solid", look_s=0.2),
            25.0,
            lambda part, utc: keeper.put_originals(part, ORIGIN, utc),
        )
        still = rng.integers(0, 225, (SIZE[1], SIZE[0], 3))
        for index in range(FRAMES):
            image = (still + rng.integers(0, 30, still.shape)).astype(np.uint8)
            image[:4, :4] = 4 * index
            decoded = av.VideoFrame.from_ndarray(image, "bgr24").reformat(format="yuv420p")
            source.append(planes_of(decoded))
            frame = Frame(index, index / 25, image, Raw(decoded))
            sink.seen(Seen(frame, Tracks((), ()), NOBODY, (), 0))
        sink.end(End((), (), 0, False, None))
    return Told(parties, folder, source)


@pytest.fixture
def told(written: Told, capsys: pytest.CaptureFixture[str]) -> Told:
    """The same, with a warrant to restore."""
    if not (written.folder / "w.json").exists():
        sign_warrant(written.parties, written.folder / "w.json", capsys, "restore")
    capsys.readouterr()
    return written
