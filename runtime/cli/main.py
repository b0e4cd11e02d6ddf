"""The `sealshot` program: finds the command, runs it, turns errors into exit codes."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

from sealshot.runtime.cli.extras import how_to_get
from sealshot.runtime.cli.start import SIGNALS, leave_at_once
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.seal.memory import disable_core_dumps
from sealshot.runtime.standard_streams import fill_standard_streams, spell_out

_interrupts: list[int] = []
"""Signals that asked this program to end, once it ran."""
UNREACHABLE = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
"""What even asking for a file raises, where its path is wrong."""

# command -> module with `main(argv) -> exit code`, what it does
COMMANDS = {
    "demo": (
        "sealshot.runtime.cli.commands.demo",
        "make a clip, run on it, seal, open, check the result",
    ),
    "run": (
        "sealshot.runtime.cli.commands.run",
        "watch a source; seal the best shot of each person",
    ),
    "archive": (
        "sealshot.runtime.cli.commands.archive",
        "watch many recordings with several workers; seal as run does",
    ),
    "serve": (
        "sealshot.runtime.cli.commands.serve",
        "watch all cameras of a box, as a file says",
    ),
    "status": ("sealshot.runtime.cli.commands.status", "say what a service does and what is wrong"),
    "deidentify": (
        "sealshot.runtime.cli.commands.deidentify",
        "write a video with every face covered",
    ),
    "restore": (
        "sealshot.runtime.cli.commands.restore",
        "bring people back into a public stream, under a warrant",
    ),
    "public": (
        "sealshot.runtime.cli.commands.public",
        "say what a public stream carries; attach its originals",
    ),
    "camera": (
        "sealshot.runtime.cli.commands.camera",
        "enrol a camera under a policy; find cameras by ONVIF",
    ),
    "keys": ("sealshot.runtime.cli.commands.keys", "make a key pair; show its recipient"),
    "open": ("sealshot.runtime.cli.commands.open", "open sealed shots with an identity"),
    "vault": (
        "sealshot.runtime.cli.commands.vault",
        "list, verify, count, upload, hold, purge shots",
    ),
    "authority": (
        "sealshot.runtime.cli.commands.authority",
        "make an authority's keys; answer a request with its shares",
    ),
    "policy": ("sealshot.runtime.cli.commands.policy", "say who opens together, and until when"),
    "custodian": (
        "sealshot.runtime.cli.commands.custodian",
        "publish epoch keys, destroy them on time, answer, hold",
    ),
    "warrant": ("sealshot.runtime.cli.commands.warrant", "write, sign and check warrants"),
    "evidence": (
        "sealshot.runtime.cli.commands.evidence",
        "opened shots with all that proves them, in one file",
    ),
    "witness": ("sealshot.runtime.cli.commands.witness", "cosign checkpoints of others' logs"),
    "report": (
        "sealshot.runtime.cli.commands.report",
        "what logs say of a period: sealed, opened, held, destroyed",
    ),
    "log": ("sealshot.runtime.cli.commands.log", "verify a log, take a checkpoint of it"),
    "inspect": (
        "sealshot.benchmarks.inspection.command",
        "draw tracks, scores and choices (writes plain faces)",
    ),
    "train": ("sealshot.export.teaching", "train the model on a folder of faces"),
    "export": ("sealshot.export.command", "write a score as fp32, fp16, int8, or a TensorRT plan"),
    "erc": (
        "sealshot.benchmarks.accuracy.erc.command",
        "error-versus-reject curves of quality scores",
    ),
    "board": (
        "sealshot.runtime.cli.commands.board",
        "what boards can do; which one this is; prove it",
    ),
    "bench": ("sealshot.benchmarks.bench", "measure speed and energy; report and compare"),
    "completion": (
        "sealshot.runtime.cli.commands.completion",
        "print what completes commands in a shell, or the manual page",
    ),
    "show-env": (
        "sealshot.runtime.cli.commands.show_env",
        "print versions and devices for a bug report",
    ),
}


def usage() -> str:
    """Return the text of `sealshot --help`."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: sealshot COMMAND ...",
            "",
            "One sealed best face shot per person, chosen on the camera.",
            "",
            *lines,
            "",
            "example:",
            "  sealshot keys new authority.key",
            "  sealshot run crowd.mp4 --to age1... --vault vault/",
            "",
            "`sealshot COMMAND --help` explains a command.",
        ]
    )


def dispatch(argv: list[str]) -> int:
    """Run the command that ``argv`` names and return its exit code."""
    from sealshot.runtime.cli.terminal import say

    if not argv or argv[0] in ("-h", "--help", "help"):
        say(usage())
        return 0 if argv else 2
    if argv[0] in ("-V", "--version"):
        from sealshot import __version__

        say(f"sealshot {__version__}")
        return 0
    name, rest = argv[0], argv[1:]
    if name not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(name, COMMANDS, n=1)
        raise InputError(
            f"there is no command '{name}'",
            hint=f"did you mean '{near[0]}'?" if near else "`sealshot --help` lists the commands",
        )
    if COMMANDS[name][0].startswith("sealshot.runtime."):
        # what it would start for matrices larger than any here takes 0.2 s to fall asleep
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if name == "run" and not any(arg.partition("=")[0] == "--public" for arg in rest):
        # hashlib does without Python's OpenSSL: cryptography has its own, and a second takes 4 MB;
        # but it hashes all that a public stream covers, eight times as fast
        sys.modules.setdefault("_hashlib", None)  # type: ignore[arg-type]
    with ExitStack() as early:
        if name == "run" and not {"-h", "--help", "--no-sandbox"}.intersection(rest):
            from sealshot.runtime.pipeline.heap import one_heap
            from sealshot.runtime.sandbox.process import begin_early, dismiss

            one_heap()  # before the first thread has one of its own
            early.callback(dismiss)
            begin_early()
        return _run(name, rest)


def _run(name: str, rest: list[str]) -> int:
    """Load a command and run it."""
    try:
        with _leaving_at_once():
            module = importlib.import_module(COMMANDS[name][0])
        return int(module.main(rest))
    except ModuleNotFoundError as error:
        hint = how_to_get(error.name or "", name)
        if not hint:
            raise
        raise InputError(
            f"`sealshot {name}` needs {error.name}, which is not installed",
            hint=hint,
        ) from error


def main(argv: list[str] | None = None) -> int:
    """Entry point: 0 done, 1 something broke, 2 the input was wrong, 130 interrupted."""
    _interrupts.clear()
    fill_standard_streams()
    spell_out()
    disable_core_dumps()  # any command may hold a key, an answer or a picture
    os.umask(os.umask(0o022) | 0o022)  # no vault and no key that others can write to
    try:
        with _leaving_at_once():
            from sealshot.runtime.cli.terminal import fail, printed_log
        try:
            with printed_log():
                return dispatch(sys.argv[1:] if argv is None else argv)
        except OSError as error:  # that names a file, and that nobody who knows more has told
            told = _told(error)
            if told is None:
                raise
            fail(told)
            return told.exit_code
        except SealshotError as error:
            fail(error)
            return error.exit_code
    except (KeyboardInterrupt, ImportError) as error:
        # some libraries make an ImportError of a Ctrl-C while they are imported
        if isinstance(error, ImportError) and not _interrupts:
            raise
        with suppress(OSError):  # a terminal that was closed
            print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _told(error: OSError) -> SealshotError | None:
    if error.filename is None:
        return None
    from sealshot.runtime.files import WRITE_ELSEWHERE, is_full

    if is_full(error):
        return SealshotError(f"cannot write {error.filename}: {error.strerror}", WRITE_ELSEWHERE)
    if error.errno in UNREACHABLE:  # of a question whether a file is there
        what = f"cannot get at {error.filename}: {error.strerror}"
        return InputError(what, hint="check the path, and who may enter the folders above it")
    return None


@contextmanager
def _leaving_at_once() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the program while the block runs, and raise an exception then."""
    leave_at_once()
    try:
        yield
    finally:
        for number in SIGNALS:
            signal.signal(number, _interrupt)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _interrupts.append(number)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
