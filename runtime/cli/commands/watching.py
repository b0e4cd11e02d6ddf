"""What the commands that watch a source share: the options of its stages, from faces to shots."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, aspect, positive_int, seconds
from sealshot.runtime.cli.terminal import Bar
from sealshot.runtime.engines import ENGINES, PRECISION_CHOICES
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import Beat, Seen, Sink
from sealshot.runtime.sources import Source, Tls
from sealshot.runtime.sources.folder import is_picture
from sealshot.runtime.sources.secret import read_secret
from sealshot.runtime.weights import SCORES

logger = logging.getLogger(__name__)

STILLS_DETECTOR = "mtcnn:exact"
"""There is no next frame in which a face could be found."""

USAGE = f"""\
  --stills            SOURCE is a folder of pictures that have nothing to do with each other: each
                      face in each is a person, and is looked for by mtcnn:exact. One picture is
                      taken so without being told
  --detector NAME     mtcnn (default: looks at what changed eight times a second, at all of it once
                      a second, and at known faces in every frame), mtcnn:exact (slower: all of
                      every frame, box for box as published), or yunet:FILE.onnx (likewise all)
  --min-face PX       width of the smallest face to look for (default {Settings.min_face_px})
  --tracker NAME      bytetrack (default), or euclidean, the tracker of the paper
  --min-seen S        who is detected for fewer seconds in all is a false alarm, not a person
                      (default {Settings.min_seen_s}), unless all of the recording is shorter
  --score NAME        {", ".join(SCORES)} (default {Settings.score}); or FILE.onnx, FILE.plan,
                      FILE.fpga
  --engine NAME       {", ".join(ENGINES)}: auto (default) measures what is usable;
                      fpga:/dev/ttyUSB0 and fpga:spi:/dev/spidev0.0 are boards, fpga:sim their RTL
                      in simulation; with ,cpu behind it this processor goes on, with the same
                      scores, where the board fails
  --precision NAME    {", ".join(PRECISION_CHOICES)}: auto (default) leaves int8 to who names it;
                      int8 screens, and fp32 decides where it lies beside it
  --fps N             frame rate of a folder of images (default 1); pictures a second to ask a
                      camera for that only gives single ones
  --aspect W:H        shape of the picture as it is to be shown, as 16:9, for a recorder that does
                      not say that its pixels are not square
  --source-file FILE  read SOURCE from a file of one line, or from credential:NAME of systemd: a
                      command line is no place for a password
  --ca-file FILE      whom an https:// or rtsps:// source is believed: certificates (PEM) of
                      authorities, or of the camera (default: the system's)
  --tls-unverified    believe any certificate; each shot says so
  --no-sandbox        let FFmpeg read SOURCE in the process that holds keys and vault, where memory
                      or a container leaves no room for one of its own; whoever makes the stream
                      may then get at them (default: a process of its own, which holds nothing)
  --hwaccel DEVICE    with --no-sandbox, for its driver has no place in a sandbox: let a device
                      decode what FFmpeg reads, as cuda, or cuda:1 for the second. What it cannot
                      decode is told, and decoded in software; a device that does not open is an
                      error
  --stop-after S      stop after S seconds of the source; without a picture until then it fails"""


def add_watching(arguments: Arguments) -> None:
    """Add the source and the options of :data:`USAGE`."""
    add = arguments.add_argument
    add("source", nargs="?")
    add("--source-file")
    add("--ca-file", type=Path)
    add("--tls-unverified", action="store_true")
    add("--no-sandbox", action="store_true")
    add("--hwaccel")
    add("--stills", action="store_true")
    add("--detector")
    add("--min-face", type=positive_int, default=Settings.min_face_px)
    add("--tracker")
    add("--min-seen", type=seconds)
    add("--score", default=Settings.score)
    add("--engine", type=an_engine, default=Settings.engine)
    add("--precision", choices=PRECISION_CHOICES, default=Settings.precision)
    add("--fps", type=float)
    add("--aspect", type=aspect)
    add("--stop-after", type=seconds)


def an_engine(text: str) -> str:
    """Return an engine that was named, with its device where it has one: ``fpga:/dev/ttyUSB0``."""
    if text.partition(":")[0] not in ENGINES:
        raise argparse.ArgumentTypeError(f"'{text}' is none of {', '.join(ENGINES)}")
    return text


def watching(arguments: Arguments, given: argparse.Namespace) -> Settings:
    """Return what the options of :data:`USAGE` say."""
    if (given.source is None) == (given.source_file is None):
        arguments.error("give one source: SOURCE, or --source-file")
    source = given.source or read_secret(given.source_file)
    stills = given.stills or is_picture(Path(source))
    for option, value in (("--tracker", given.tracker), ("--min-seen", given.min_seen)):
        if stills and value is not None:
            arguments.error(f"{option} is for a video, not for pictures that are taken each alone")
    settings = Settings(
        source=source,
        stills=stills,
        detector=given.detector or (STILLS_DETECTOR if stills else Settings.detector),
        tracker=given.tracker or Settings.tracker,
        score=given.score,
        engine=given.engine,
        precision=given.precision,
        min_face_px=given.min_face,
        min_seen_s=Settings.min_seen_s if given.min_seen is None else given.min_seen,
        fps=given.fps,
        aspect=given.aspect,
        tls=Tls(not given.tls_unverified, given.ca_file),
        sandbox=not given.no_sandbox,
        hwaccel=given.hwaccel,
        stop_after_s=given.stop_after,
    )
    warn_of_no_sandbox(settings)
    return settings


def warn_of_no_sandbox(settings: Settings) -> None:
    """Say what it means that streams are parsed in this process, where a user asked for that."""
    if not settings.sandbox:
        logger.warning(
            "FFmpeg reads in this process: who makes a stream that breaks it gets at all that the "
            "process holds"
        )


class BarSink(Sink):
    """Shows on a bar how far a watch is.

    Args:
        bar: of the command.
        source: knows how many frames there will be, where that is known.
        words: from frames a second and people seen so far to what stands beside the bar.
    """

    def __init__(self, bar: Bar, source: Source, words: Callable[[float, int], str]) -> None:
        self._bar, self._source, self._words = bar, source, words
        self._frames, self._start_s = 0, time.perf_counter()

    def seen(self, seen: Seen) -> None:
        """Show one frame more."""
        self._frames += 1
        self._show(seen.people)

    def beat(self, beat: Beat) -> None:
        """Show that time goes on."""
        self._show(beat.people)

    def _show(self, people: int) -> None:
        fps = self._frames / (time.perf_counter() - self._start_s)
        self._bar.update(self._frames, self._words(fps, people), self._source.frames)
