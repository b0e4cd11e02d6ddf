"""`sealshot public`: what a public stream says of itself."""

from __future__ import annotations

import uuid
from collections import Counter
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, run_action
from sealshot.runtime.cli.terminal import say, say_json, table
from sealshot.runtime.errors import InputError
from sealshot.runtime.public.message import Message
from sealshot.runtime.public.restore import messages_in_packets, messages_in_strips

USAGE = """
usage: sealshot public read VIDEO [--json]

Say what a public stream carries: which stream it is, which pictures of it are there, and what is
covered in them, by track, and in how many of them originals of it alone are sealed (see `sealshot
restore`). It is read out of the video itself (H.264 and
H.265), so a file that was cut or copied says it too; one that was encoded again does only where it
has the strip of `--message strip`, which tells stream, picture and sealed parts, and no boxes.

example:
  sealshot public read public.mkv
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    return run_action("public", USAGE, {"read": _read}, argv)


def _read(argv: list[str]) -> int:
    arguments = Arguments("public read", USAGE)
    arguments.add_argument("video", type=Path)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    times, pictures = _messages(given.video)
    if not times:
        raise InputError(
            f"{given.video} says nothing of itself in {pictures} pictures",
            hint="it was encoded again, or is no public stream in H.264 or H.265",
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


def _messages(path: Path) -> tuple[list[tuple[float, Message]], int]:
    """Return the messages with the times of their pictures, and how many pictures there are."""
    found: list[tuple[float, Message]] = []
    pictures = 0
    for read in (messages_in_packets, messages_in_strips):
        told = list(read(path))
        pictures = len(told)
        found = [(time_s, message) for time_s, message in told if message is not None]
        if found:
            break
    return sorted(found, key=lambda one: one[1].picture), pictures
