"""What ``import sealshot`` gives: watch a source, score faces, open shots, in programs of others.

``sealshot run`` and ``sealshot open`` are made of the same parts and do more: they log, upload,
forget on time, and open under a warrant. `runtime/api/examples` shows these functions at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.detect import open_detector
from sealshot.runtime.engines import Scorer, open_for_tracks
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.pipeline.settings import Choice, Emit, Settings
from sealshot.runtime.pipeline.sinks import Beat, End, Seen, Sink
from sealshot.runtime.pipeline.stages import open_stages, open_watched
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.pipeline.watch import Watched
from sealshot.runtime.pipeline.watch import watch as watch_source
from sealshot.runtime.seal.envelope import unseal
from sealshot.runtime.seal.keys import read_identities
from sealshot.runtime.seal.payload import Opened
from sealshot.runtime.types import Face, Frame, Shot
from sealshot.runtime.weights import DEFAULT_SCORE, score_graph

__all__ = [
    "Beat",
    "Choice",
    "Emit",
    "End",
    "Face",
    "Frame",
    "InputError",
    "Opened",
    "Scorer",
    "SealshotError",
    "Seen",
    "Settings",
    "Shot",
    "Sink",
    "Stop",
    "Watched",
    "crop_resize_grey",
    "open_detector",
    "open_scorer",
    "open_shot",
    "watch",
]


def watch(settings: Settings | str, sinks: Sequence[Sink], stop: Stop | None = None) -> Watched:
    """Watch a source to its end, and give all that is seen to sinks; nothing is sealed or kept.

    Args:
        settings: what to watch and how; a text is the source, with the defaults.
        sinks: take frames, tracks, scores and shots; see :class:`Sink`.
        stop: ends it early. ``with stop.on_signals():`` lets Ctrl-C and SIGTERM set it.

    Returns:
        How it went; what broke on the way is its ``failure``.

    Raises:
        InputError: the source or an option is wrong.
    """
    settings = Settings(settings) if isinstance(settings, str) else settings
    settings = replace(settings, decoded=any(sink.wants_decoded for sink in sinks))
    with open_watched(settings) as source:
        stages = open_stages(settings)
        return watch_source(source, stages, sinks, stop, stop_after_s=settings.stop_after_s)


def open_scorer(
    score: str = DEFAULT_SCORE, *, engine: str = "auto", precision: str = "auto", threads: int = 0
) -> Scorer:
    """Open a quality score: ``scorer.score(crops)`` takes what :func:`crop_resize_grey` gives.

    Args:
        score: the name of a score that ships, or ``FILE.onnx``, or ``FILE.plan``.
        engine: as ``--engine`` of `sealshot run`.
        precision: as ``--precision``.
        threads: for the engines of the CPU; 0 takes one a core.

    Raises:
        InputError: there is no such score, engine or precision, or its file is wrong.
    """
    return open_for_tracks(score_graph(score), engine, precision, threads=threads)


def open_shot(sealed: bytes | Path, identity_file: Path) -> Opened:
    """Open a shot that one key opens alone.

    Args:
        sealed: the sealed object, or its file.
        identity_file: with the private key, as `sealshot keys new` writes it.

    Raises:
        InputError: it is no sealed shot, was altered, is for another key or for a quorum, or the
            identity file is wrong.
        OSError: the object cannot be read.
    """
    data = sealed if isinstance(sealed, bytes) else sealed.read_bytes()
    return unseal(data, read_identities(str(identity_file)))
