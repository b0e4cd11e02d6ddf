"""`sealshot completion`: completion for a shell, and the manual page, made from the commands."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

from sealshot import __version__
from sealshot.runtime.cli.arguments import Arguments, arguments_of
from sealshot.runtime.cli.extras import needs
from sealshot.runtime.cli.main import COMMANDS
from sealshot.runtime.cli.main import usage as overview
from sealshot.runtime.cli.terminal import say, warn

SHELLS = ("bash", "zsh", "tcsh")
USAGE = f"""
usage: sealshot completion bash | zsh | tcsh | man

Print what lets a shell complete commands, options and files, or the manual page. Both are made from
the commands that are installed; those whose extra is not are left out.

{needs("service")}

examples:
  sealshot completion bash > ~/.local/share/bash-completion/completions/sealshot
  sealshot completion man > ~/.local/share/man/man1/sealshot.1
"""

MANUAL = """\
.TH SEALSHOT 1 "" "sealshot {version}"
.SH NAME
sealshot \\- one sealed best face shot per person, chosen on the camera
.SH SYNOPSIS
.B sealshot
.I COMMAND
\\&...
.SH COMMANDS
{overview}
{commands}
.SH EXIT STATUS
0: done. 1: something broke. 2: the input was wrong. 130: interrupted.
"""


def main(argv: list[str]) -> int:
    """Run `sealshot completion`."""
    arguments = Arguments("completion", USAGE)
    arguments.add_argument("what", choices=(*SHELLS, "man"))
    given = arguments.parse_args(argv)
    if given.what == "man":
        say(_manual().rstrip("\n"))
        return 0
    import shtab  # here, so that the help is there without the extra

    root = argparse.ArgumentParser("sealshot", description="one sealed best face shot per person")
    below = root.add_subparsers()
    for name, command in _commands():
        _add(below, name, COMMANDS[name][1], command, shtab.FILE)
    say(shtab.complete(root, given.what).rstrip("\n"))
    return 0


def _commands() -> Iterator[tuple[str, Callable[[list[str]], int]]]:
    for name, (module, _) in COMMANDS.items():
        try:
            yield name, importlib.import_module(module).main
        except ModuleNotFoundError as error:
            warn(f"`sealshot {name}` is left out: {error.name} is not installed")


def _add(
    below: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    help: str,
    command: Callable[[list[str]], int],
    files: object,
) -> None:
    """Add a command, and what may follow it, to a parser that no one parses with."""
    own = arguments_of(command, [])
    actions = _actions_of(own)
    if not actions:
        parser = below.add_parser(name, help=help, parents=[own], add_help=False)
        for action in parser._actions:
            if action.choices is None and action.nargs != 0 and action.type in (Path, None):
                action.complete = files  # type: ignore[attr-defined]
        return
    parser = below.add_parser(name, help=help)
    inner = parser.add_subparsers()
    for action_name in actions:
        _add(inner, action_name, action_name, _after(command, action_name), files)


def _actions_of(arguments: Arguments) -> tuple[str, ...]:
    """Return what may follow a command that is nothing but a choice of actions."""
    others = [action for action in arguments._actions if action.dest != "help"]
    if [action.dest for action in others] != ["action"]:
        return ()
    return tuple(others[0].choices or ())


def _after(command: Callable[[list[str]], int], action: str) -> Callable[[list[str]], int]:
    return lambda argv: command([action, *argv])


def _manual() -> str:
    sections = []
    for name, command in _commands():
        text = (arguments_of(command, []).usage or "").strip()
        sections.append(f".SH {name.upper()}\n{_literal(text)}")
    commands = overview().partition("\n\n")[2]
    return MANUAL.format(
        version=__version__, overview=_literal(commands), commands="\n".join(sections)
    )


def _literal(text: str) -> str:
    """Return a text as roff that shows it as it is."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").splitlines()
    return "\n".join([".nf", *(f"\\&{line}" for line in lines), ".fi"])
