"""`sealshot status`: what a service does, since when, and what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.extras import needs
from sealshot.runtime.cli.terminal import say, say_json, table
from sealshot.runtime.errors import InputError
from sealshot.runtime.seal.times import format_time, utc_now

if TYPE_CHECKING:
    from sealshot.runtime.service.state import CameraState

COLUMNS = (
    "camera", "does", "since", ">fps", ">people", ">today", ">dropped", ">shots", ">to send"
)  # fmt: skip
USAGE = f"""
usage: sealshot status [--state FILE] [--json]

Say what `sealshot serve` does on this machine: its cameras, since when, and what is wrong. The exit
code is 1 if something is, and 2 if no service runs.

--state FILE  that the service writes, where --state was given to it

{needs("service")}

example:
  sealshot status --json | jq '.cameras[].phase'
"""


def main(argv: list[str]) -> int:
    """Run `sealshot status`."""
    arguments = Arguments("status", USAGE)
    arguments.add_argument("--state", type=Path)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)

    # here, so that the help is there without the extra
    import msgspec

    from sealshot.runtime.service.state import default_file, read_state, wrongs

    state = read_state(given.state or default_file())
    now = utc_now()
    wrong = wrongs(state, now)
    if given.json:
        say_json({**msgspec.to_builtins(state), "age_s": state.age_s(now), "wrong": wrong})
    else:
        table(COLUMNS, [_row(camera) for camera in state.cameras])
        until = f" until {format_time(state.ended)}" if state.ended else ""
        since = f"since {format_time(state.started)}{until}"
        say(f"sealshot {state.version}, process {state.pid}, {since}")
        for sentence in wrong:
            say(f"wrong: {sentence}")
    if state.ended:
        raise InputError(
            f"no service runs: this one ended at {format_time(state.ended)}",
            hint="start `sealshot serve`; --state names the file of another one",
        )
    return 1 if wrong else 0


def _row(camera: CameraState) -> tuple[str, ...]:
    vault = camera.vault
    return (
        camera.name,
        camera.phase,
        format_time(camera.since),
        f"{camera.fps:.1f}",
        str(camera.people),
        str(camera.people_today),
        str(camera.dropped),
        str(vault.objects) if vault else "-",
        str(vault.waiting) if vault else "-",
    )
