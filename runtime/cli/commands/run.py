"""`sealshot run`: watch a source; seal the best shot of each person."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from sealshot.runtime.cli.arguments import (
    Arguments,
    duration,
    file_in_folder,
    positive_int,
    seconds,
    size,
    start_time,
)
from sealshot.runtime.cli.commands.sealing import open_delivery, sealing_for
from sealshot.runtime.cli.commands.styles import beside_a_watch, promise, style
from sealshot.runtime.cli.commands.watching import USAGE as WATCHING
from sealshot.runtime.cli.commands.watching import BarSink, add_watching, watching
from sealshot.runtime.cli.terminal import fail, note, progress, say, say_json, table
from sealshot.runtime.cli.words import PERCENTILE, counted
from sealshot.runtime.errors import InputError
from sealshot.runtime.pipeline.run import Problem, Seal, Summary, run
from sealshot.runtime.pipeline.settings import Choice, Emit, Settings
from sealshot.runtime.pipeline.sinks import Sink
from sealshot.runtime.pipeline.stages import Stages
from sealshot.runtime.pipeline.stop import SIGNALS, Stop
from sealshot.runtime.public.carriers import CARRIERS
from sealshot.runtime.public.containers import CODECS, CONTAINERS, check_output
from sealshot.runtime.public.hiding import MIN_FACE_PX, open_detectors
from sealshot.runtime.sources import Source
from sealshot.runtime.sources.board import board_source, find_board
from sealshot.runtime.vault.keeper import Sealing

USAGE = f"""
usage: sealshot run SOURCE --policy FILE --vault DIR [options]
       sealshot run SOURCE --to RECIPIENT --vault DIR [options]
       sealshot run --source-file FILE ...

Watch SOURCE, follow every face, keep the best shot of each person and seal it into the vault.
The camera cannot open what it sealed. Ctrl-C, SIGTERM or a closed
terminal end the run; every person seen so far keeps a shot.

SOURCE is a video file, a folder of images, a camera's index (0) or device, an rtsp://, http:// or
onvif:// address, or a GStreamer pipeline.

  --policy FILE       seal to the quorum of a policy: DIR/policy.toml that `sealshot camera enrol`
                      wrote; all is logged, and forgotten after the policy's retention time
  --to RECIPIENT      or who can open the shots alone: age1..., or a file with one a line; may be
                      repeated
  --vault DIR         folder for the sealed shots
  --retention TIME    with --to: delete shots this long after their day, as 30d (default: never)
  --quota SIZE        as 500M or 20G: above it the fullest minute of the fullest hour gives its
                      oldest, with a warning; what waits for its upload goes last, what is on legal
                      hold never (default: none)
  --rate N            above N people in a minute those with the lowest scores go at once, with a
                      warning: against made-up faces on a screen (default: none)
  --upload URL        send shots to https://.../{{name}} (PUT), to the address that the service
                      presign+https://.../{{name}} answers with, or to s3://bucket/prefix
  --after-upload DO   keep (default) or delete them here once the server has acknowledged them
  --clock-is-right    take the system's clock although it jumped: what it says is over is deleted
  --emit WHEN         end: when the person has left (default); timely: within --within seconds
                      of the first detection, and again if a better one comes; live: each
                      improvement
  --within S          seconds for --emit timely (default 5)
  --clip S            keep a clip of S seconds before and after the best frame, sealed too
  --margin SHARE      what is kept around the face square, as a share of its side (default 0.5)
  --picture TYPE      jpg (default) or png
  --public FILE       write the video too, {", ".join(CONTAINERS)}, with every face covered as by
                      `sealshot deidentify`; it appears when the run ends. It is looked at once more
                      for it, for faces from {MIN_FACE_PX} px on, or from --min-face if that is less
  --style STYLE       of --public: mosaic (default), blur, solid, face or face:FILE.onnx (see
                      `sealshot deidentify --help`)
  --codec NAME        of --public: {", ".join(CODECS)} (default: h264)
  --message CARRIER   of --public: sei (default); strip, qim or lsb say in the picture too which one
                      it is (see `sealshot deidentify --help`)
  --no-originals      with --public and --policy: do not seal what is covered. Otherwise it goes
                      into the vault by track, so that a quorum can bring a person back exactly
                      (`sealshot restore`); one person takes some 10 MB a minute
{WATCHING}
  --board NAME        read the camera through the GStreamer pipeline of a board of `sealshot board
                      list`, or of this one (auto): csi:0, rtsp:// decoded in hardware, /dev/video0
  --start-time TIME   when the first frame of a recording was taken, UTC, as 2026-11-21T10:20:30Z
                      (default: what its file says; the shot says which clock it is)
  --give-up-after S   stop when a camera was away for S seconds (default: wait for ever)
  --json              print the summary as JSON

examples:
  sealshot run rtsp://camera/stream --policy camera-north/policy.toml --vault vault/
  sealshot run crowd.mp4 --to age1... --vault vault/
  sealshot run rtsp://camera/stream --to judges.txt --vault vault/ --emit timely --within 10
  sealshot run csi:0 --board auto --policy camera-north/policy.toml --vault vault/
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("run", USAGE)
    add_watching(arguments)
    add = arguments.add_argument
    add("--to", action="append")
    add("--policy", type=Path)
    add("--retention", type=duration)
    add("--quota", type=size)
    add("--rate", type=positive_int)
    add("--upload")
    add("--after-upload", choices=("keep", "delete"))
    add("--clock-is-right", action="store_true")
    add("--vault", type=Path)
    add("--emit", choices=("end", "timely", "live"), default="end")
    add("--within", type=seconds, default=5.0)
    add("--clip", type=seconds, default=0.0)
    add("--margin", type=float, default=Choice().margin)
    add("--picture", choices=("jpg", "png"), default="jpg")
    add("--public", type=file_in_folder)
    add("--style", type=style)
    add("--codec", choices=CODECS)
    add("--message", choices=CARRIERS)
    add("--no-originals", action="store_true")
    add("--board")
    add("--give-up-after", type=seconds)
    add("--start-time", type=start_time)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    needed = {
        "SOURCE": given.source or given.source_file,
        "--policy or --to": given.policy or given.to,
        "--vault": given.vault,
    }
    arguments.check_there(needed, least=1 if given.vault is None else 2)
    if not 0 <= given.margin <= 5:
        raise InputError(
            f"a margin of {given.margin} is not between 0 and 5", hint="leave --margin out for 0.5"
        )
    for option in ("style", "codec", "message"):
        if getattr(given, option) and not given.public:
            arguments.error(f"--{option} goes with --public")
    codec = check_output(given.public, given.codec) if given.public else None
    if given.no_originals and (not given.public or given.to):
        arguments.error("--no-originals goes with --public and --policy")
    hiding = beside_a_watch(given.style, given.message, given.min_face)
    if hiding.painter:
        note(promise(hiding.painter))
    detector = given.detector or Settings.detector
    detectors = open_detectors([detector], hiding.min_face_px, beside=True) if codec else []
    sealing = _sealing(arguments, given)
    watched = watching(arguments, given)
    settings = replace(
        watched,
        source=board_source(find_board(given.board), watched.source)
        if given.board
        else watched.source,
        emit=Emit(given.emit, given.within if given.emit == "timely" else 0.0),
        choice=Choice(given.margin, given.clip),
        decoded=codec is not None,
        give_up_after_s=given.give_up_after,
        start_time=given.start_time,
    )
    stop = Stop()
    with stop.on_signals((*SIGNALS, signal.SIGHUP)), progress("watching") as bar:

        def connect(source: Source, stages: Stages, seal: Seal, _: Problem) -> Sequence[Sink]:
            engine = stages.engine
            note(f"engine: {engine.description} ({engine.why})")
            shown = BarSink(
                bar,
                source,
                lambda fps, people: ", ".join(
                    (f"{fps:.1f} fps", counted(people, "person", "people"), engine.description)
                ),
            )
            if codec is None:
                return [shown]
            from sealshot.runtime.public.sink import PublicSink  # it loads FFmpeg

            keep = None if given.to or given.no_originals else seal
            return [
                shown,
                PublicSink(given.public, codec, detectors, hiding, source.fps, keep),
            ]

        summary = run(
            settings, sealing, given.vault, picture=given.picture, stop=stop, connect=connect
        )
    say_json(_as_json(summary)) if given.json else _print(summary, given.vault)
    if summary.failure:
        fail(summary.failure)
        return summary.failure.exit_code
    if given.public and not given.public.exists():
        note(f"there is no {given.public}: no picture had waited for what is found after it")
    return 0


def _sealing(arguments: Arguments, given: argparse.Namespace) -> Sealing:
    arguments.only_one(given, "--policy", "--to")
    if given.after_upload and not given.upload:
        arguments.error("--after-upload goes with --upload")
    if given.policy is not None and given.retention is not None:
        arguments.error("the policy says how long shots are kept: leave --retention out")
    return sealing_for(
        given.policy,
        given.to or (),
        retention=given.retention,
        quota_bytes=given.quota,
        rate=given.rate,
        delivery=open_delivery(given.upload, given.after_upload),
        clock_is_right=given.clock_is_right,
    )


def _print(summary: Summary, vault: Path) -> None:
    if summary.people:
        table(
            (">track", ">frames", ">score", ">percentile", ">best frame", ">at", "sealed object"),
            (
                (
                    str(p.track),
                    str(p.frames_seen),
                    f"{p.score:.2f}",
                    f"{p.percentile:.0f}",
                    str(p.frame),
                    f"{p.time_s:.2f} s",
                    str(vault / p.object_id),
                )
                for p in summary.people
            ),
        )
        note(PERCENTILE)
    say(
        f"{counted(summary.people_seen, 'person', 'people')} in "
        f"{counted(summary.frames, 'frame')}, {summary.fps:.1f} fps"
        + (", interrupted" if summary.interrupted else "")
    )
    if summary.frames:
        stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in summary.stages_ms.items())
        note(f"ms a frame: {stages} (decode and look run beside the rest); {summary.engine}")
    if summary.passing:
        note(
            f"too short to be a person: {counted(summary.passing, 'passing detection')} "
            "(--min-seen says for how many seconds one is in view)"
        )
    if summary.dropped:
        note(f"dropped to keep up: {counted(summary.dropped, 'frame')} of the camera")


def _as_json(summary: Summary) -> dict[str, object]:
    fields = asdict(summary)
    failure = summary.failure
    fields["failure"] = {"fact": failure.fact, "hint": failure.hint} if failure else None
    return {**fields, "fps": summary.fps}
