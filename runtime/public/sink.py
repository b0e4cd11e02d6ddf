"""The public stream beside a watch: a sink that takes each frame and what was found in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from functools import partial
from pathlib import Path
from queue import Queue, SimpleQueue
from threading import Thread

import av
import cv2
import numpy as np

from sealshot.runtime.detect import Detector
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.pipeline.run import Seal
from sealshot.runtime.pipeline.sinks import Beat, End, Seen, Sink
from sealshot.runtime.planes import Planes, bgr_of
from sealshot.runtime.public.containers import Codec
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.decoded import Decoded
from sealshot.runtime.public.hiding import Hiding
from sealshot.runtime.public.originals import OriginalsWriter
from sealshot.runtime.public.picture import Form, Picture, planes_of
from sealshot.runtime.public.stream import PublicStream
from sealshot.runtime.public.writer import VideoWriter
from sealshot.runtime.sandbox.shape import LIMITED_RANGE, UNSPECIFIED, matrix_of
from sealshot.runtime.seal.originals import Originals
from sealshot.runtime.seal.times import format_hour, utc_now
from sealshot.runtime.types import Face, Frame, Image, Pixels

TICKS_A_SECOND = 1000
FRAMES_AHEAD = 1
SEARCH_S = 0.2
"""What the watch does not find is looked for so often: looking back covers what lies between."""
LEAST_S = 60.0
"""A file lasts for so long at least, though an hour ends in it."""


class PublicSink(Sink):
    """Writes the public stream of a watch, in a thread of its own.

    What the watch finds is covered. Beside that it looks for smaller and less certain faces with
    detectors of its own, so that the shots are the same with it and without it. Where it cannot
    keep up it holds the watch up: a live source then drops frames, and none goes out uncovered.

    The originals are sealed in the thread that calls, as shots are; a file gets its name when the
    last of them is.
    """

    wants_decoded = True

    def __init__(
        self,
        path: Path,
        codec: Codec,
        detectors: list[Detector],
        hiding: Hiding = Hiding(),
        fps: float | None = None,
        seal: Seal | None = None,
        hourly: Callable[[datetime], Path] | None = None,
    ) -> None:
        """Start; the file is begun with the first frame.

        Args:
            path: of the file, which appears at the end of it.
            codec: as :func:`sealshot.runtime.public.containers.check_output` returned it.
            detectors: used for this alone.
            hiding: how faces are hidden.
            fps: frames per second of the source, where that is known.
            seal: None keeps no originals.
            hourly: names the file that begins with an hour of UTC; None writes one file of all.
                Where an hour breaks off, what was written of it is left as ``.part``.
        """
        self._path, self._codec, self._fps = path, codec, fps
        self._detectors, self._hiding, self._seal = detectors, hiding, seal
        self._hourly = hourly
        self._items: Queue[tuple[Frame, list[Face]] | Beat | End] = Queue(FRAMES_AHEAD)
        self._done: SimpleQueue[Originals | VideoWriter] = SimpleQueue()
        """Parts to be sealed, and after those of each file but the last the file, to be kept."""
        self._began = utc_now()
        self._writer: VideoWriter | None = None
        self._shown = 0
        """Pictures in the last file, once the end was taken."""
        self._failure: Exception | None = None
        self._has_ended = False
        """Whether the end was taken."""
        self._thread = Thread(target=self._work, name="public stream", daemon=True)
        self._thread.start()
        self.pictures = 0
        """Written so far, in all files."""

    def seen(self, seen: Seen) -> None:
        """Take a frame; raise what went wrong with one before it."""
        self._began = utc_now() - timedelta(seconds=seen.frame.time_s)
        self._give((_anew(seen.frame), [track.face for track in seen.tracks.seen]))

    def beat(self, beat: Beat) -> None:
        """Let go what has waited enough."""
        self._give(beat)

    def end(self, end: End) -> None:
        """Finish the file, and wait for that."""
        self._items.put(end)
        self._thread.join()
        if self._writer is None:
            self._raise()
            return
        with self._writer:
            self._take_done()
            self._raise()
            if self._shown:
                self._writer.keep()

    def _give(self, item: tuple[Frame, list[Face]] | Beat) -> None:
        try:
            self._take_done()
            self._raise()
        except BaseException:  # it is not called again
            self._abandon()
            raise
        self._items.put(item)

    def _abandon(self) -> None:
        """End the thread, and the file without its name."""
        self._items.put(End((), (), 0, True, None))
        self._thread.join()
        if self._writer is not None:
            self._writer.discard()

    def _take_done(self) -> None:
        while not self._done.empty():
            done = self._done.get()
            if isinstance(done, VideoWriter):
                with done:
                    done.keep()
            elif self._seal is not None:
                self._seal(done, self._began + timedelta(seconds=done.pieces[0].time_s))

    def _raise(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _work(self) -> None:
        try:
            self._write()
        except Exception as error:
            self._failure = error
            if self._writer is not None:
                self._writer.discard()
            while not self._has_ended:  # so that nobody waits for room
                self._take()

    def _take(self) -> tuple[Frame, list[Face]] | Beat | End:
        item = self._items.get()
        self._has_ended = isinstance(item, End)
        return item

    def _write(self) -> None:
        item = self._take()
        while isinstance(item, Beat):
            item = self._take()
        if isinstance(item, End):
            return
        planes_of_frame = _Planes(item[0], self._fps)
        form = planes_of_frame.form

        def begin(path: Path) -> VideoWriter:
            below = self._hiding.below(self._codec, form.width, form.height)
            leave = self._hourly is not None
            return VideoWriter(path, form, self._codec, below=below, fast=True, leave=leave)

        def keep(stream: bytes) -> OriginalsWriter:
            return OriginalsWriter(stream, form.format, self._done.put, self._hour_of)

        self._writer = begin(self._path)
        stream = PublicStream(
            self._writer, self._detectors, self._hiding, keep if self._seal else None, SEARCH_S
        )
        before, since_s = 0, item[0].time_s
        try:
            while not isinstance(item, End):
                if isinstance(item, Beat):
                    stream.advance(item.time_s)
                else:
                    now_s = item[0].time_s
                    if self._hourly and stream.pictures and self._is_over(since_s, now_s):
                        since_s, whole = now_s, self._writer
                        self._writer = begin(self._hourly(self._taken(now_s)))
                        before += stream.turn(self._writer)
                        self._done.put(whole)
                    see = partial(planes_of_frame.image, item[0].pixels)
                    stream.take(planes_of_frame.picture(item[0]), see, item[1])
                    del see
                self.pictures = before + stream.pictures
                del item  # so that no picture is held while the next one is waited for
                item = self._take()
        except SealshotError:
            if self._hourly:  # what was written of the file is left, and may be restored
                stream.finish(whole=False)
            raise
        stream.finish(whole=not item.interrupted and item.failure is None)
        self.pictures, self._shown = before + stream.pictures, stream.pictures

    def _taken(self, time_s: float) -> datetime:
        return self._began + timedelta(seconds=time_s)

    def _is_over(self, since_s: float, now_s: float) -> bool:
        """Whether the hour in which a file began is over; a clock that trembles ends none."""
        return now_s - since_s > LEAST_S and self._hour_of(since_s) != self._hour_of(now_s)

    def _hour_of(self, time_s: float) -> str:
        return format_hour(self._taken(time_s))


def _anew(frame: Frame) -> Frame:
    """Return a frame without what the watch made of its planes, which would wait with it."""
    if not isinstance(frame.pixels, Planes):
        return frame
    pixels = replace(frame.pixels)
    return replace(frame, pixels=pixels, decoded=frame.decoded and pixels)


class _Planes:
    """Makes pictures of frames: as they were decoded, or of what the watch sees where none was."""

    def __init__(self, first: Frame, fps: float | None) -> None:
        rate = Fraction(fps).limit_denominator(1001) if fps else None
        base = Fraction(1, TICKS_A_SECOND)
        self._ticks: int | None = None
        """Of the last picture."""
        self._decoded: Decoded | None = None
        if first.decoded is None:
            self.form = _form(first, rate, base)
            return
        (high, wide, _), decoded = first.pixels.shape, first.decoded
        if isinstance(decoded, Planes):
            self._decoded = Decoded(decoded, decoded.colours, Fraction(1), base, rate)
        else:
            if decoded.turn.transposed:
                high, wide = wide, high
            raw = decoded.frame
            aspect = Fraction(wide * raw.height, high * raw.width)
            self._decoded = Decoded(decoded, raw, aspect, base, rate)
        self.form = self._decoded.form

    def picture(self, frame: Frame) -> Picture:
        """Return a frame as planes; where the source changed its size, in that of the first one."""
        ticks = round(frame.time_s * TICKS_A_SECOND)
        if self._ticks is not None:
            ticks = max(ticks, self._ticks + 1)
        self._ticks = ticks
        if self._decoded is not None and frame.decoded is not None:
            return Picture(self._decoded.planes(frame.decoded), ticks, frame.time_s)
        return Picture(_converted(frame, self.form), ticks, frame.time_s)

    def image(self, pixels: Pixels) -> Image:
        """Return a frame's pixels as BGR, to look for faces in."""
        return bgr_of(pixels) if self._decoded is None else self._decoded.image(pixels)


def _form(frame: Frame, fps: Fraction | None, time_base_s: Fraction) -> Form:
    height, width, _ = frame.pixels.shape
    return Form(
        width=width,
        height=height,
        format="yuv420p",
        pixel_aspect=Fraction(1),
        time_base_s=time_base_s,
        fps=fps,
        range=LIMITED_RANGE,
        primaries=UNSPECIFIED,
        transfer=UNSPECIFIED,
        matrix=matrix_of(UNSPECIFIED, width, height),
    )


def _converted(frame: Frame, form: Form) -> tuple[Plane, ...]:
    image = frame.image
    if image.shape[:2] != (form.height, form.width):
        image = np.asarray(cv2.resize(image, (form.width, form.height)), np.uint8)
    shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "bgr24").reformat(
        format=form.format, dst_colorspace=form.matrix, dst_color_range=form.range
    )
    return planes_of(shown)
