"""`sealshot archive`: watch many recordings with several workers; one writer seals."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from zoneinfo import ZoneInfo

from sealshot.runtime.cli.arguments import Arguments, duration, positive_int, seconds, size
from sealshot.runtime.cli.commands.sealing import open_delivery, sealing_for
from sealshot.runtime.cli.commands.watching import an_engine
from sealshot.runtime.cli.terminal import fail, note, progress, say, say_json
from sealshot.runtime.cli.words import counted
from sealshot.runtime.engines import PRECISION_CHOICES
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.footage.recordings import find_recordings
from sealshot.runtime.footage.workers import open_workers
from sealshot.runtime.footage.writer import Summary, seal_footage
from sealshot.runtime.pipeline.settings import Choice, Settings
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.processors import processors
from sealshot.runtime.weights import SCORES

USAGE = f"""\
usage: sealshot archive FILE... --policy FILE --vault DIR [--workers N|ray] [options]
       sealshot archive FILE... --to RECIPIENT --vault DIR [--workers N|ray] [options]

Watch recordings, several at a time, and seal the best shot of each person on each. Workers read,
find and score; this process alone has the camera's key, seals and logs. A worker that dies is
replaced, and what it had in hand is done again. Each recording is sealed once: Ctrl-C, a kill or a
full disk loses nothing, the same command goes on, and one that is given later takes what is new.
A recording that cannot be watched is told and left, the others are sealed. The exit code is 1 where
something broke, as a worker or the disk: the same command may go on; else 2 where a recording is no
video, or does not say when it began.

FILE is a recording, or s3://BUCKET/KEY in which *, ? and [] may stand (in quotes), with credentials
from the environment; that of a bucket lies in the worker's memory while it is watched.

  --policy FILE       seal to the quorum of a policy, as `sealshot run` does
  --to RECIPIENT      or who can open the shots alone; may be repeated
  --vault DIR         folder for the sealed shots; it keeps in mind what was watched
  --workers N         processes here (default: one for each processor); or ray: tasks of the cluster
                      that RAY_ADDRESS names, or of one on this machine. Shots come back encrypted
                      to this process, recordings are found at the same paths
  --start-times WHICH  known (default): when a recording began stands in its name, as
                      2026-11-21_10-20-30.mp4, or else in its container; one that does not say is
                      told and left. now: it is taken for one that begins now
  --zone NAME         of the times in names, as Europe/Brussels (default: UTC)
  --retention TIME    with --to: delete shots this long after their day, as 30d (default: never)
  --quota SIZE        as 500M or 20G: see `sealshot run`
  --upload URL        send shots as they are sealed, as to s3://bucket/vault: see `sealshot run`
  --after-upload DO   keep (default) or delete them here once the server has acknowledged them
  --clip S            keep a clip of S seconds before and after the best frame, sealed too
  --margin SHARE      what is kept around the face square, as a share of its side (default 0.5)
  --picture TYPE      jpg (default) or png
  --precision NAME    as of `sealshot run`, but fp32 where it is not named (of a score that ships):
                      which precision is fastest differs from hour to hour, and scores a little
  --detector NAME, --min-face PX, --tracker NAME, --min-seen S, --engine NAME
                      as of `sealshot run`
  --score NAME        {", ".join(SCORES)} (default {Settings.score}), or a file
  --json              print the summary as JSON

examples:
  sealshot archive footage/*.mp4 --policy cam1/policy.toml --vault vault/ --zone Europe/Brussels
  sealshot archive 's3://bucket/footage/*.mp4' --policy cam1/policy.toml --vault vault/ \\
      --workers ray --upload s3://bucket/vault
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("archive", USAGE)
    add = arguments.add_argument
    add("files", metavar="FILE", nargs="*")
    add("--policy", type=Path)
    add("--to", action="append")
    add("--vault")
    add("--workers", default=str(processors()))
    add("--start-times", choices=("known", "now"), default="known")
    add("--zone", default="UTC")
    add("--retention", type=duration)
    add("--quota", type=size)
    add("--upload")
    add("--after-upload", choices=("keep", "delete"))
    add("--clip", type=seconds, default=0.0)
    add("--margin", type=float, default=Choice().margin)
    add("--picture", choices=("jpg", "png"), default="jpg")
    add("--detector", default=Settings.detector)
    add("--min-face", type=positive_int, default=Settings.min_face_px)
    add("--tracker", default=Settings.tracker)
    add("--min-seen", type=seconds, default=Settings.min_seen_s)
    add("--score", default=Settings.score)
    add("--engine", type=an_engine, default=Settings.engine)
    add("--precision", choices=PRECISION_CHOICES)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    needed = {"FILE": given.files, "--policy or --to": given.policy or given.to}
    arguments.check_there({**needed, "--vault": given.vault})
    arguments.only_one(given, "--policy", "--to")
    if given.after_upload and not given.upload:
        arguments.error("--after-upload goes with --upload")
    if given.policy is not None and given.retention is not None:
        arguments.error("the policy says how long shots are kept: leave --retention out")
    if "://" in given.vault:
        arguments.error("a vault is a folder here: --upload sends its shots to a bucket")
    if not 0 <= given.margin <= 5:
        raise InputError(
            f"a margin of {given.margin} is not between 0 and 5", hint="leave --margin out for 0.5"
        )
    recordings = find_recordings(given.files, _zone(given.zone))
    sealing = sealing_for(
        given.policy,
        given.to or (),
        retention=given.retention,
        quota_bytes=given.quota,
        delivery=open_delivery(given.upload, given.after_upload),
    )
    settings = Settings(
        source="",
        detector=given.detector,
        tracker=given.tracker,
        score=given.score,
        engine=given.engine,
        precision=given.precision or ("fp32" if given.score in SCORES else Settings.precision),
        min_face_px=given.min_face,
        min_seen_s=given.min_seen,
        choice=Choice(given.margin, given.clip),
    )
    stop = Stop()
    with stop.on_signals(), progress("recordings", len(recordings)) as bar:
        summary = seal_footage(
            recordings,
            settings,
            open_workers(given.workers),
            sealing,
            Path(given.vault),
            stop,
            start_times=given.start_times,
            picture=given.picture,
            told=lambda done, people: bar.update(done, counted(people, "person", "people")),
        )
    return _tell(summary, stopped=stop.is_set(), json=given.json)


def _tell(summary: Summary, *, stopped: bool, json: bool) -> int:
    """Say what came of it; return the exit code."""
    for one in summary.failed:
        name = one.recording.name
        fail(SealshotError(one.fact if name in one.fact else f"{name}: {one.fact}", one.hint))
    if json:
        fields = asdict(summary)
        fields["failed"] = [
            {"recording": one.recording.name, "fact": one.fact, "hint": one.hint}
            for one in summary.failed
        ]
        failure = summary.failure
        fields["failure"] = {"fact": failure.fact, "hint": failure.hint} if failure else None
        say_json(fields)
    else:
        say(
            f"{counted(summary.people, 'person', 'people')} in "
            f"{counted(summary.recordings, 'recording')}, {counted(summary.frames, 'frame')}"
        )
        if summary.before:
            note(f"sealed before: {counted(summary.before, 'recording')}")
    if summary.left:
        note(f"{counted(summary.left, 'recording')} left: the same command goes on with them")
    if summary.failure:
        fail(summary.failure)
        return summary.failure.exit_code
    if stopped:
        raise KeyboardInterrupt
    # what broke goes before what is no recording: the same command may mend it
    return min((one.exit_code for one in summary.failed), default=0)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise InputError(
            f"there is no time zone '{name}'", hint="name it as Europe/Brussels"
        ) from None
