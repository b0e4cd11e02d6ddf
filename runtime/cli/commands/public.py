"""`sealshot public`: what a public stream says of itself, and one file that carries all of it."""

from __future__ import annotations

import uuid
from collections import Counter
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, file_in_folder, natural_int, run_action
from sealshot.runtime.cli.commands.containers import in_vault
from sealshot.runtime.cli.terminal import note, say, say_json, table
from sealshot.runtime.errors import InputError
from sealshot.runtime.public.attached import attach
from sealshot.runtime.public.message import Message
from sealshot.runtime.public.restore import (
    messages_in_order,
    messages_in_packets,
    messages_in_pictures,
    survey,
)

USAGE = """
usage: sealshot public read VIDEO [--no-sandbox] [--json]
       sealshot public attach VIDEO --vault DIR [--track N]... -o FILE.mkv

read:
Say what a public stream carries: which stream it is, which pictures of it are there, and what is
covered in them, by track, and in how many of them originals of it alone are sealed (see `sealshot
restore`). It is read out of the user data of the video (H.264 and H.265), so a file that was cut or
copied says it too; one that was encoded again does only where its pictures say it themselves
(`--message strip` or `qim`, which tell stream, picture and some sealed parts, and no boxes).

  --no-sandbox        let FFmpeg read VIDEO in this process

attach:
Copy VIDEO with the sealed containers of what is covered in it as attachments of Matroska, from
which `sealshot restore` reads them without the vault; they are as sealed there as they are in it.
Nothing that copies the file keeps them but `ffmpeg -map 0 -c copy`, so the vault has to keep its
own. They are held in memory while they are written.

  --vault DIR         where the containers are
  --track N           only those of a track; may be repeated (default: all)
  -o FILE.mkv         one file that carries all

examples:
  sealshot public read public.mkv
  sealshot public attach public.mkv --vault vault/ -o all.mkv
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    return run_action("public", USAGE, {"read": _read, "attach": _attach}, argv)


def _read(argv: list[str]) -> int:
    arguments = Arguments("public read", USAGE)
    arguments.add_argument("video", type=Path)
    arguments.add_argument("--no-sandbox", action="store_true")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    times, pictures = _messages(given.video, sandbox=not given.no_sandbox)
    if not times:
        raise InputError(
            f"{given.video} says nothing of itself in {pictures} pictures",
            hint="it was encoded again and says nothing in its pictures, or is no public stream",
        )
    if given.json:
        say_json(
            [
                {
                    "stream": str(uuid.UUID(bytes=message.stream)),
                    "picture": message.picture,
                    "time_s": time_s,
                    "regions": [
                        {"track": track, "box": list(box)} for track, *box in message.regions
                    ],
                    "parts": [{"part": part, "tracks": tracks} for part, tracks in message.parts],
                }
                for time_s, message in times
            ]
        )
        return 0
    for stream in dict.fromkeys(message.stream for _, message in times):
        own = [(time_s, message) for time_s, message in times if message.stream == stream]
        first, last = own[0][1].picture, own[-1][1].picture
        say(
            f"stream {uuid.UUID(bytes=stream)}: pictures {first} to {last}, {len(own)} of "
            f"{last - first + 1} are here"
        )
        seen: dict[int, list[float]] = {}
        for time_s, message in own:
            for track in {region[0] for region in message.regions}:
                seen.setdefault(track, []).append(time_s)
        sealed = Counter(tracks for _, message in own for _, tracks in message.parts)
        table(
            (">track", ">pictures", ">from", ">to", ">sealed"),
            (
                (
                    str(track),
                    str(len(at)),
                    f"{at[0]:.2f} s",
                    f"{at[-1]:.2f} s",
                    str(sealed[(track,)]),
                )
                for track, at in sorted(seen.items())
            ),
        )
    return 0


def _attach(argv: list[str]) -> int:
    arguments = Arguments("public attach", USAGE)
    arguments.add_argument("video", type=Path)
    arguments.add_argument("--vault", type=Path, required=True)
    arguments.add_argument("--track", type=natural_int, action="append", default=[])
    arguments.add_argument("-o", dest="output", type=file_in_folder, required=True)
    given = arguments.parse_args(argv)
    if given.output.suffix.lower() != ".mkv":
        raise InputError(
            f"{given.output} takes no attachments", hint="let its name end with .mkv: Matroska does"
        )
    if given.output.exists():
        raise InputError(
            f"{given.output} exists and is not overwritten", hint="choose another file name"
        )
    wanted = survey(given.video, hidden=True).wanted(given.video, frozenset(given.track))
    there = in_vault(given.vault, wanted)
    attach(given.video, {one.path.stem: one.read() for one in there.values()}, given.output)
    say(f"{given.output}: the stream and {len(there)} of its containers")
    note("a copy keeps them with -map 0 only: `ffmpeg -i FILE -map 0 -c copy COPY.mkv`")
    return 0


def _messages(path: Path, *, sandbox: bool) -> tuple[list[tuple[float, Message]], int]:
    """Return the messages with the times of their pictures, and how many pictures there are."""
    found: list[tuple[float, Message]] = []
    pictures = 0
    for read in (messages_in_packets, messages_in_order, messages_in_pictures):
        told = list(read(path, sandbox=sandbox))
        pictures = len(told)
        found = [(time_s, message) for time_s, message in told if message is not None]
        if found:
            break
    return sorted(found, key=lambda one: one[1].picture), pictures
