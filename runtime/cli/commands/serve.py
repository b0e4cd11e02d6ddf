"""`sealshot serve`: watch all cameras of a box, as a file says."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.extras import needs
from sealshot.runtime.cli.terminal import say
from sealshot.runtime.errors import InputError
from sealshot.runtime.service import UNITS

USAGE = f"""
usage: sealshot serve FILE [--check] [--quiet] [--state FILE]
       sealshot serve --example
       sealshot serve --unit [NAME]

Watch all cameras that FILE names, each for itself: one that fails is tried again and costs the
others nothing. Runs until SIGTERM or Ctrl-C, when everybody in view is sealed, or until all
sources have ended. SIGHUP reads FILE again: a camera whose part is the same goes on undisturbed.

--example     print a file to begin with
--check       say what is wrong with FILE, each by its line, and start nothing; what may not be
              written is found as the user of the service
--unit NAME   print a unit for systemd, and how to install it: sealshot.service (default), or for a
              custodian's machine sealshot-rotate.service and sealshot-rotate.timer
--state FILE  for `sealshot status` (default: /run/sealshot/status.json for root and below systemd,
              $XDG_RUNTIME_DIR/sealshot/status.json for another user)
--quiet       tell warnings and errors alone

The exit code is 0 when all is over or it was stopped, 1 when something broke (a camera hangs, so
that a new process has to take over; a stop lost shots, since the disk was full), 2 when FILE is
wrong: restart after 1, not after 2.

{needs("service")}

examples:
  sealshot serve --example > cameras.toml
  sealshot serve cameras.toml --check
  sealshot serve cameras.toml
"""

UNIT = "sealshot.service"


def main(argv: list[str]) -> int:
    """Run `sealshot serve`."""
    arguments = Arguments("serve", USAGE)
    add = arguments.add_argument
    add("file", type=Path, nargs="?")
    add("--check", action="store_true")
    add("--example", action="store_true")
    add("--unit", nargs="?", const=UNIT)
    add("--state", type=Path)
    add("--quiet", action="store_true")
    given = arguments.parse_args(argv)
    if given.unit is not None:
        say(_unit(given.unit))
        return 0
    if given.file is None and not given.example:
        arguments.error("which cameras? a FILE is required")
    if given.quiet:
        logging.getLogger("sealshot").setLevel(logging.WARNING)

    # here, so that the help is there without the extra
    from sealshot.runtime.cli.commands.serving import check_file, serve
    from sealshot.runtime.service.config import EXAMPLE

    if given.example:
        say(EXAMPLE.read_text().rstrip("\n"))
        return 0
    return check_file(given.file) if given.check else serve(given.file, given.state)


def _unit(name: str) -> str:
    """Return a unit that starts this program."""
    names = sorted(file.name for file in UNITS.iterdir())
    if name not in names:
        raise InputError(f"there is no unit '{name}'", hint=f"there are {', '.join(names)}")
    program = Path(sys.argv[0]).absolute()
    if program.name != "sealshot":  # python -m sealshot
        program = Path(sys.executable).absolute().with_name("sealshot")
    text = (UNITS / name).read_text().rstrip("\n")
    return text.replace("@SEALSHOT@", str(program))
