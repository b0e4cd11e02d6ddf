"""Files and network streams through PyAV, which is FFmpeg. Nothing else in the package opens it."""

from __future__ import annotations

import errno
import math
import zlib
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction

import av
from av.error import FFmpegError

from sealshot.runtime.processors import processors
from sealshot.runtime.sources.convert import Converter
from sealshot.runtime.sources.deinterlace import Deinterlacer
from sealshot.runtime.sources.reader import ASK_AGAIN, NoVideoError, Picture
from sealshot.runtime.sources.tls import SEGMENTED, SYSTEM, Tls, distrust, ffmpeg_options, is_tls

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0
FASTEST_FPS = 240.0
"""A container that names a higher rate means its clock (WebM's 1000, RTSP's 90000)."""
TEXT_CODECS = frozenset({"ansi", "xbin", "idf", "bintext"})
"""FFmpeg draws text files by their suffix."""
LIVE_FORMATS = frozenset({"hls", "dash", "sdp", "rtsp", "mpjpeg"})
"""What has a size that is not that of the video."""
CERTIFICATE_HINT = (
    "give the certificate of the camera, or of who signed it, with --ca-file; --tls-unverified "
    "takes any, and each shot says so"
)
# no password may be wrong for the sake of another try: cameras lock their users out
LASTING = (
    av.HTTPBadRequestError,
    av.HTTPUnauthorizedError,
    av.HTTPForbiddenError,
    av.HTTPNotFoundError,
    av.InvalidDataError,
    av.ProtocolNotFoundError,
    av.DemuxerNotFoundError,
)


class Media:
    """Reads the best video stream of a file or an address."""

    def __init__(self, target: str, *, aspect: Fraction | None = None, tls: Tls = SYSTEM) -> None:
        """Open it and find its video.

        Args:
            target: a path or an address.
            aspect: width over height of the whole picture as it is to be shown; None takes what
                the stream says.
            tls: whom an address is believed.

        Raises:
            NoVideoError: it cannot be opened, or has no video that this FFmpeg can decode.
        """
        options = ffmpeg_options(target, tls)
        if "://" in target and not target.lower().startswith("http"):
            # a rate is good for a progress bar, and a stream has none: seconds of video would be
            # held back to find it, and then come all at once
            options["fpsprobesize"] = "0"
        if _is_rtsp(target):
            options["rtsp_flags"] = "prefer_tcp"  # loses nothing; some cameras have UDP alone
        try:
            self._container = av.open(
                target,
                options=options,
                metadata_errors="replace",
                timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S),
            )
        except FFmpegError as error:
            raise _no_video(error, target, tls) from None
        except (OSError, ValueError) as error:  # what no FFmpeg error stands for
            raise NoVideoError(type(error).__name__, lasting=True) from None
        try:
            if is_tls(target) and tls.verify and self._container.format.name in SEGMENTED:
                raise NoVideoError(
                    "it is a list of segments, whose certificates FFmpeg does not verify",
                    "give the address of the stream itself; --tls-unverified takes the list, and "
                    "each shot says so",
                    lasting=True,
                )
            self._stream = self._find()
        except NoVideoError:
            self._container.close()
            raise
        self._aspect = aspect
        self._converter = Converter()
        self._deinterlacer = Deinterlacer(_time_base(self._stream))
        self._pictures: Iterator[Picture] = self._read_all()
        self._closed = False
        self._sizes: list[int] = []
        self._packet_sum: int | None = None
        self.moves = False
        self.damaged = 0
        self.created = _created(self._container.metadata.get("creation_time", ""))
        self.fps = _rate(self._stream)
        self.end_s, length_s = self._times()
        self.frames = _frames(self._stream, self.fps, length_s)

    def _find(self) -> av.VideoStream:
        stream = self._container.streams.best("video")
        if stream is None:
            raise NoVideoError(
                "there is no video in it", "name a file or an address with video", lasting=True
            )
        assert isinstance(stream, av.VideoStream)
        context = getattr(stream, "codec_context", None)
        if context is None:
            raise NoVideoError(
                "FFmpeg as PyAV brings it cannot decode its video",
                "convert it: ffmpeg -i IN -c:v libx264 OUT.mp4",
                lasting=True,
            )
        if context.name in TEXT_CODECS:
            raise NoVideoError("it is a text file", "name a video file", lasting=True)
        return stream

    @property
    def codec(self) -> str:
        """The name of its codec."""
        return str(self._stream.codec_context.name)

    @property
    def ends(self) -> bool:
        """Whether it says how long it is, as a recording does and a camera does not."""
        if (self._container.duration or 0) > 0:
            return True
        return self._container.size > 0 and self._container.format.name not in LIVE_FORMATS

    @property
    def is_still(self) -> bool:
        """Whether it is one picture and no video."""
        name = self._container.format.name
        return name == "image2" or name.endswith("_pipe")

    def read(self) -> Picture | None:
        """Return the next picture that can be decoded; None at the end and where a stream broke."""
        return None if self._closed else next(self._pictures, None)

    def close(self) -> None:
        """Close the file or the connection."""
        if not self._closed:
            self._closed = True
            self._container.close()

    def _read_all(self) -> Iterator[Picture]:
        # FFmpeg's frame threads lose the frames held back for their order behind a damaged packet
        self._stream.thread_type = "SLICE"
        self._stream.codec_context.thread_count = processors()
        for frame in self._decode():
            yield from self._pictures_of(self._deinterlacer.push(frame))
        yield from self._pictures_of(self._deinterlacer.flush())

    def _pictures_of(self, frames: Iterator[av.VideoFrame]) -> Iterator[Picture]:
        """Yield what can be shown; damage may give a frame a form that cannot."""
        while True:
            try:
                frame = next(frames, None)
                if frame is None:
                    return
                picture = self._picture(frame)
            except FFmpegError:
                self.damaged += 1
                continue
            yield picture

    def _picture(self, frame: av.VideoFrame) -> Picture:
        stamp = frame.pts if frame.pts is not None else frame.dts
        base = frame.time_base or self._stream.time_base
        return Picture(
            self._converter.picture(frame, self._pixel_aspect(frame)),
            None if stamp is None or base is None else float(stamp * base),
            frame,
        )

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Yield what can be decoded; what cannot is counted and passed over."""
        failed = 0
        while failed < ASK_AGAIN:
            try:
                for packet in self._container.demux(self._stream):
                    self._look_at(packet)
                    try:
                        frames = packet.decode()
                    except FFmpegError:
                        self.damaged += 1
                        failed += 1
                        if failed == ASK_AGAIN:
                            break
                        continue
                    failed = 0 if frames else failed
                    yield from frames
                else:
                    return
            except (av.EOFError, av.ExitError, ConnectionError, TimeoutError):
                break
            except IndexError:  # PyAV at the end of what has more streams than at its beginning
                break
            except FFmpegError:  # a packet that cannot be read; the next may be
                self.damaged += 1
                failed += 1
        try:
            yield from self._stream.decode(None)  # what the decoder holds back
        except FFmpegError:
            self.damaged += 1

    def _look_at(self, packet: av.Packet[av.VideoStream]) -> None:
        """Find out whether the stream says that its pictures differ."""
        if self.moves or not packet.size:
            return
        self._sizes = [*self._sizes[-24:], packet.size]
        checksum = zlib.crc32(packet)
        differs, self._packet_sum = self._packet_sum not in (None, checksum), checksum
        # a copy of the picture before takes next to no bytes
        self.moves = differs and len(self._sizes) > 1 and packet.size * 10 > max(self._sizes)

    def _pixel_aspect(self, frame: av.VideoFrame) -> Fraction:
        if self._aspect is not None:
            return self._aspect * frame.height / frame.width
        return self._stream.sample_aspect_ratio or Fraction(1)

    def _times(self) -> tuple[float | None, float | None]:
        """Return the stamp of the end, and the length, where the video's own are known."""
        stream, base = self._stream, self._stream.time_base
        start_s = float((stream.start_time or 0) * base) if base else 0.0
        if stream.duration and base:
            length_s = float(stream.duration * base)
            return start_s + length_s, length_s
        # the length of the whole is that of its longest track; Matroska counts from 0 and may say
        # the video's end in a tag of its own
        end_s = _clock(stream.metadata.get("DURATION", ""))
        alone = len(self._container.streams) == 1
        if end_s is None and alone and self._container.duration:
            end_s = self._container.duration / av.time_base
            if "matroska" not in self._container.format.name:
                end_s += start_s
        return end_s, None if end_s is None else end_s - start_s


def _no_video(error: FFmpegError, target: str, tls: Tls) -> NoVideoError:
    """Say why FFmpeg could not open something; its own text has the address in it."""
    why = str(error.strerror or type(error).__name__)
    why = why[:1].lower() + why[1:]
    if isinstance(error, av.HTTPUnauthorizedError):
        return NoVideoError(why, "check user and password", lasting=True)
    if error.errno == errno.EIO and (distrusted := distrust(target, tls)):
        return NoVideoError(distrusted, CERTIFICATE_HINT, lasting=True)
    # a relay without its camera knows no such page; a camera that starts hangs up
    passes = (av.HTTPNotFoundError, av.InvalidDataError) if _is_rtsp(target) else ()
    return NoVideoError(why, lasting=isinstance(error, LASTING) and not isinstance(error, passes))


def _is_rtsp(target: str) -> bool:
    return target.lower().startswith("rtsp")


def _time_base(stream: av.VideoStream) -> Fraction:
    return stream.time_base or Fraction(1, 1000)


def _rate(stream: av.VideoStream) -> float | None:
    """Return the nominal frames per second; None if absent or absurd."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= FASTEST_FPS:
            return float(rate)
    return None


def _frames(stream: av.VideoStream, fps: float | None, length_s: float | None) -> int | None:
    """Return how many frames there should be, if count, rate and length agree on it."""
    if fps is None or length_s is None or not math.isfinite(length_s) or length_s <= 0:
        return stream.frames or None
    expected = max(1, round(fps * length_s))
    # an index may count frames that an edit list hides
    return stream.frames if stream.frames and stream.frames <= 1.1 * expected + 1 else expected


def _clock(text: str) -> float | None:
    """Return the seconds of ``02:00:01.033``; None of anything else."""
    try:
        hours, minutes, seconds = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return None


def _created(text: str) -> datetime | None:
    """Read ``creation_time``; 1904 and 1970 are what a clock says that nobody has set."""
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return time if time.tzinfo and time.year >= 2000 else None
