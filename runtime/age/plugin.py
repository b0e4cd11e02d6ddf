"""Private keys in hardware: what opens with them is a program of its own, `age-plugin-NAME`.

    client                                   plugin
    add-identity AGE-PLUGIN-NAME-1...
    recipient-stanza 0 KIND ARGUMENTS...
    done
                                             msg, confirm, request-public, request-secret
    ok, fail
                                             file-key 0
    ok
                                             done

Each line is a stanza as in the header of an age file: https://c2sp.org/age-plugin, ``identity-v1``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Protocol

from sealshot.runtime.age import bech32
from sealshot.runtime.age.age import (
    COLUMNS,
    FILE_KEY_BYTES,
    Stanza,
    decode_base64,
    parse_stanza,
    write_stanza,
)
from sealshot.runtime.errors import SealError

IDENTITY_PREFIX = "age-plugin-"
LINES_LIMIT = 1000
"""Of one stanza from a plugin, each of at most :data:`LINE_LIMIT` bytes; real ones have some 30."""
LINE_LIMIT = 8192
END_S = 10.0
"""That a plugin has to end in, once it said that it is done."""

_NAME = re.compile(r"[a-z0-9+._-]+")


class Prompts(Protocol):
    """How a plugin reaches whoever holds the hardware."""

    def tell(self, text: str) -> None:
        """Show a message, such as to touch the key."""

    def ask(self, text: str, *, secret: bool) -> str | None:
        """Return what is typed, unseen where it is secret; None where nobody can be asked."""


@dataclass(frozen=True, slots=True)
class PluginIdentity:
    """A private key that a plugin knows where to find.

    Args:
        text: its ``AGE-PLUGIN-NAME-1...`` form, which opens nothing without the hardware.
        prompts: for what the plugin says and asks.

    Raises:
        SealError: the text is malformed.
    """

    text: str
    prompts: Prompts = field(repr=False)

    def __post_init__(self) -> None:
        try:
            prefix, _ = bech32.decode(self.text)
        except ValueError as error:
            raise SealError(f"the identity is malformed: {error}", hint="copy all of it") from None
        name = prefix.removeprefix(IDENTITY_PREFIX)
        if name == prefix or not name.endswith("-") or not _NAME.fullmatch(name[:-1]):
            raise SealError("the identity is of no plugin of age", hint="copy all of it")

    @property
    def program(self) -> str:
        """The plugin: `age-plugin-NAME`."""
        return self.text.rpartition("1")[0].lower().removesuffix("-")

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key, or None where the stanza is for another key or of another kind.

        Raises:
            SealError: the plugin is not there, or fails, or says why it cannot.
        """
        command = [_find(self.program), "--age-plugin=identity-v1"]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/"
            )
        except OSError as error:
            raise SealError(
                f"{self.program} cannot be started: {error.strerror}", hint="install it again"
            ) from None
        try:
            assert process.stdin
            assert process.stdout
            return _Talk(self, process.stdin, process.stdout).unwrap(stanza)
        except BrokenPipeError:
            raise _ended(self.program) from None
        finally:
            _end(process)


class _Talk:
    """One conversation with a plugin."""

    def __init__(self, identity: PluginIdentity, to: IO[bytes], of: IO[bytes]) -> None:
        self._identity, self._to, self._of = identity, to, of

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Hand over the identity and a stanza, then do what the plugin asks for."""
        self._send("add-identity", self._identity.text)
        self._send("recipient-stanza", "0", *stanza.arguments, body=stanza.body)
        self._send("done")
        file_key, wrong = None, ""
        while (asked := self._receive()).arguments[0] != "done":
            command, *arguments = asked.arguments
            if command == "file-key" and arguments == ["0"]:
                file_key = asked.body
                self._send("ok")
            elif command == "error":
                wrong = wrong or " ".join(_text(asked.body).split())
                self._send("ok")
            else:
                self._answer(command, arguments, _text(asked.body))
        if file_key is None and wrong:
            raise SealError(f"{self._identity.program}: {wrong}", hint="try it again")
        if file_key is not None and len(file_key) != FILE_KEY_BYTES:
            raise _strange(self._identity.program)
        return file_key

    def _answer(self, command: str, arguments: list[str], text: str) -> None:
        prompts = self._identity.prompts
        if command == "msg":
            prompts.tell(text)
            self._send("ok")
        elif command in ("request-public", "request-secret"):
            typed = prompts.ask(text, secret=command == "request-secret")
            self._send("fail") if typed is None else self._send("ok", body=typed.encode())
        elif command == "confirm" and arguments:
            yes, *no = map(self._choice, arguments)
            typed = prompts.ask(f"{text} ({'/'.join([yes, *no])})", secret=False)
            answers = {yes.lower(): "yes"} | ({} if no else {"": "yes"})
            chosen = answers.get(typed.strip().lower(), "no") if typed is not None else ""
            self._send("ok", chosen) if chosen else self._send("fail")
        else:
            self._send("unsupported")

    def _choice(self, argument: str) -> str:
        try:
            return _text(decode_base64(argument.encode()))
        except SealError:
            raise _strange(self._identity.program) from None

    def _send(self, *arguments: str, body: bytes = b"") -> None:
        self._to.write(write_stanza(Stanza(arguments, body)))
        self._to.flush()

    def _receive(self) -> Stanza:
        lines: list[bytes] = []
        while len(lines) < 2 or len(lines[-1]) == COLUMNS + len(b"\n"):
            lines.append(self._of.readline(LINE_LIMIT))
            if not lines[-1]:
                raise _ended(self._identity.program)
            if len(lines) > LINES_LIMIT:
                raise _strange(self._identity.program)
        try:
            return parse_stanza(b"".join(lines), 0)[0]
        except SealError:
            raise _strange(self._identity.program) from None


def _find(program: str) -> str:
    """Return the path of a plugin; never one in a folder that hangs on where one stands."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = shutil.which(program, path=os.pathsep.join(filter(os.path.isabs, folders)))
    if found is None:
        raise SealError(
            f"the identity is one of {program}, which is not on the PATH",
            hint="install the plugin of the hardware",
        )
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(OSError):
                pipe.close()  # it is to end at that; what else it says is not read
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _text(body: bytes) -> str:
    return body.decode(errors="replace")


def _ended(program: str) -> SealError:
    return SealError(f"{program} ended before it was done", hint="see what it says by itself")


def _strange(program: str) -> SealError:
    return SealError(f"{program} does not speak as plugins of age do", hint="install it again")
