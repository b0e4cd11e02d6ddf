"""Two half pictures in one frame, as analogue cameras and 1080i give them, made one picture."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import av.filter


class Deinterlacer:
    """Passes frames on, the interlaced ones among them deinterlaced by FFmpeg's bwdif.

    One picture a frame, from its first field: the second field would double the work for the same
    person a fiftieth of a second later. Until an interlaced frame comes nothing is filtered or
    held back; from then on each frame waits for the next one.
    """

    def __init__(self, time_base: Fraction) -> None:
        self._time_base = time_base
        self._graph: av.filter.Graph | None = None
        self._shape: tuple[int, int, str] | None = None

    def push(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Take a frame, and yield those that are ready."""
        shape = frame.width, frame.height, frame.format.name
        if self._graph is not None and shape != self._shape:
            yield from self.flush()
        if self._graph is None and frame.interlaced_frame:
            self._graph, self._shape = self._open(frame), shape
        if self._graph is None:
            yield frame
        else:
            self._graph.push(frame)
            yield from self._pull(self._graph)

    def flush(self) -> Iterator[av.VideoFrame]:
        """Yield what is held back."""
        graph, self._graph = self._graph, None
        if graph is not None:
            graph.push(None)
            yield from self._pull(graph)

    def _open(self, frame: av.VideoFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=self._time_base,
        )
        bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
        sink = graph.add("buffersink")
        source.link_to(bwdif)
        bwdif.link_to(sink)
        graph.configure()
        return graph

    @staticmethod
    def _pull(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
        while True:
            try:
                frame = graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, av.VideoFrame)
            yield frame
