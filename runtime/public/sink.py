"""The public stream beside a watch: a sink that takes each frame and what was found in it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from queue import Queue
from threading import Thread

import av
import cv2
import numpy as np

from sealshot.runtime.detect import Detector
from sealshot.runtime.pipeline.sinks import Beat, End, Seen, Sink
from sealshot.runtime.public.picture import LIMITED_RANGE, UNSPECIFIED, Form, Picture, planes_of
from sealshot.runtime.public.stream import Hiding, PublicStream
from sealshot.runtime.public.writer import Codec, VideoWriter
from sealshot.runtime.sources.convert import BT601, BT709, HD_WIDTH, SD_HEIGHT
from sealshot.runtime.types import Face, Frame

TICKS_A_SECOND = 1000
FRAMES_AHEAD = 2


class PublicSink(Sink):
    """Writes the public stream of a watch, in a thread of its own.

    It looks at each frame with detectors of its own, since it looks for smaller and less certain
    faces than the watch; so the shots are the same with it and without it. What the watch found is
    covered too. Where it cannot keep up it holds the watch up: a live source then drops frames, and
    none goes out uncovered.
    """

    def __init__(
        self,
        path: Path,
        codec: Codec,
        detectors: list[Detector],
        hiding: Hiding = Hiding(),
        fps: float | None = None,
    ) -> None:
        """Start; the file is begun with the first frame.

        Args:
            path: of the file, which appears at the end.
            codec: as :func:`sealshot.runtime.public.writer.check_output` returned it.
            detectors: used for this alone.
            hiding: how faces are hidden.
            fps: frames per second of the source, where that is known.
        """
        self._path, self._codec, self._fps = path, codec, fps
        self._detectors, self._hiding = detectors, hiding
        self._items: Queue[tuple[Frame, list[Face]] | Beat | End] = Queue(FRAMES_AHEAD)
        self._failure: Exception | None = None
        self._thread = Thread(target=self._work, name="public stream", daemon=True)
        self._thread.start()
        self.pictures = 0
        """Written, once the end was taken."""

    def seen(self, seen: Seen) -> None:
        """Take a frame; raise what went wrong with one before it."""
        self._give((seen.frame, [track.face for track in seen.tracks.seen]))

    def beat(self, beat: Beat) -> None:
        """Let go what has waited enough."""
        self._give(beat)

    def end(self, end: End) -> None:
        """Finish the file, and wait for that."""
        self._items.put(end)
        self._thread.join()
        self._raise()

    def _give(self, item: tuple[Frame, list[Face]] | Beat) -> None:
        self._raise()
        self._items.put(item)

    def _raise(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _work(self) -> None:
        first = self._items.get()
        while isinstance(first, Beat):
            first = self._items.get()
        if isinstance(first, End):
            return
        try:
            self._write(*first)
        except Exception as error:
            self._failure = error
            while not isinstance(self._items.get(), End):  # so that nobody waits for room
                pass

    def _write(self, frame: Frame, faces: list[Face]) -> None:
        form = _form(frame, self._fps)
        with VideoWriter(self._path, form, self._codec) as writer:
            stream = PublicStream(writer, self._detectors, self._hiding)
            last: Picture | None = None
            item: tuple[Frame, list[Face]] | Beat | End = (frame, faces)
            while not isinstance(item, End):
                if isinstance(item, Beat):
                    stream.advance(item.time_s)
                else:
                    last = _picture(item[0], form, last)
                    stream.take(last, item[0].image, item[1])
                item = self._items.get()
            stream.finish(whole=not item.interrupted and item.failure is None)
            self.pictures = stream.pictures


def _form(frame: Frame, fps: float | None) -> Form:
    height, width = frame.image.shape[:2]
    return Form(
        width=width,
        height=height,
        format="yuv420p",
        pixel_aspect=Fraction(1),
        time_base_s=Fraction(1, TICKS_A_SECOND),
        fps=Fraction(fps).limit_denominator(1001) if fps else None,
        range=LIMITED_RANGE,
        primaries=UNSPECIFIED,
        transfer=UNSPECIFIED,
        matrix=BT709 if width >= HD_WIDTH or height > SD_HEIGHT else BT601,
    )


def _picture(frame: Frame, form: Form, last: Picture | None) -> Picture:
    """Return a frame as planes; where the source changed its size, in that of the first one."""
    image = frame.image
    if image.shape[:2] != (form.height, form.width):
        image = np.asarray(cv2.resize(image, (form.width, form.height)), np.uint8)
    shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "bgr24").reformat(
        format=form.format, dst_colorspace=form.matrix, dst_color_range=form.range
    )
    ticks = round(frame.time_s * TICKS_A_SECOND)
    if last is not None:
        ticks = max(ticks, last.ticks + 1)
    return Picture(planes_of(shown), ticks, frame.time_s)
