"""What the commands that watch a source share: the options of its stages, from faces to shots."""

from __future__ import annotations

import argparse

from sealshot.runtime.cli.arguments import Arguments, positive_int, seconds
from sealshot.runtime.engines import ENGINES, PRECISION_CHOICES
from sealshot.runtime.pipeline.stages import Settings
from sealshot.runtime.weights import SCORES

USAGE = f"""\
  --detector NAME     mtcnn (default), mtcnn:exact (slower, box for box the published one),
                      or yunet:FILE.onnx
  --min-face PX       width of the smallest face to look for (default {Settings.min_face_px})
  --tracker NAME      bytetrack (default), or euclidean, the tracker of the paper
  --min-seen S        who is detected for fewer seconds in all is a false alarm, not a person
                      (default {Settings.min_seen_s})
  --score NAME        {", ".join(SCORES)} (default {Settings.score}), or FILE.onnx, or FILE.plan
  --engine NAME       {", ".join(ENGINES)}: auto (default) measures what is usable
  --precision NAME    {", ".join(PRECISION_CHOICES)}: auto (default) leaves int8 to who names it;
                      int8 screens, and fp32 decides where it lies beside it
  --fps N             frame rate of a folder of images (default 1)
  --stop-after S      stop after S seconds of the source"""


def add_watching(arguments: Arguments) -> None:
    """Add the source and the options of :data:`USAGE`."""
    add = arguments.add_argument
    add("source")
    add("--detector", default=Settings.detector)
    add("--min-face", type=positive_int, default=Settings.min_face_px)
    add("--tracker", default=Settings.tracker)
    add("--min-seen", type=seconds, default=Settings.min_seen_s)
    add("--score", default=Settings.score)
    add("--engine", choices=ENGINES, default=Settings.engine)
    add("--precision", choices=PRECISION_CHOICES, default=Settings.precision)
    add("--fps", type=float)
    add("--stop-after", type=seconds)


def watching(given: argparse.Namespace) -> Settings:
    """Return what the options of :data:`USAGE` say."""
    return Settings(
        source=given.source,
        detector=given.detector,
        tracker=given.tracker,
        score=given.score,
        engine=given.engine,
        precision=given.precision,
        min_face_px=given.min_face,
        min_seen_s=given.min_seen,
        fps=given.fps,
        stop_after_s=given.stop_after,
    )
