"""The scorer in an FPGA, over a pipe of bytes: a board at a serial port or SPI, or a simulated one.

The frames are those of :mod:`sealshot.kernels.rtl.protocol`. Two pictures are under way at once:
one is scored while the next comes in. All commands may be repeated, so whatever goes wrong has one
remedy: ask the board who it is, load it again if it has forgotten, send again what is unanswered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealshot.kernels.rtl import protocol
from sealshot.kernels.rtl.packing import pack
from sealshot.kernels.rtl.protocol import ANSWER, END, PICTURES, SHAPE_ID, Command, Status
from sealshot.kernels.rtl.shape import LAYERS
from sealshot.runtime.engines.bytepipe import (
    BytePipe,
    PipeClosedError,
    open_program,
    open_serial,
    open_spi,
)
from sealshot.runtime.engines.runner import Runner, Tensor
from sealshot.runtime.engines.weight_stream import Stream, read_stream
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import cache_folder
from sealshot.runtime.types import Floats

SIMULATION = "sim"
SPI = "spi:"
"""Before the path of an SPI device; a path alone is a serial port."""
ANSWER_S = 2.0
"""At 3 Mbaud a picture takes 14 ms and its score 0.5 ms more."""
SIMULATED_ANSWER_S = 120.0
TRIES = 4
BACK_S = 10.0
"""How long a board that is gone is waited for."""
ONCE = bytes((len(LAYERS) - 1, 0, 0, 0))
"""Payload of SETUP: all layers, each face once."""
Opener = Callable[[], BytePipe]


class FpgaRunner(Runner):
    """A score graph in an FPGA."""

    inputs = (Tensor("crops", np.dtype(np.uint8), (None, 1, 64, 64)),)
    outputs = (Tensor("score", np.dtype(np.float32), (None,)),)

    def __init__(self, model: Path, device: str) -> None:
        """Open a board and load it.

        Args:
            model: ``NAME.fpga``.
            device: a serial port, ``spi:`` and an SPI device, or ``sim``.

        Raises:
            InputError: the file or the device is wrong, or the board is of another firmware.
            SealshotError: nothing answers.
        """
        stream = read_stream(model)
        if device == SIMULATION:
            program = simulation()
            self.board = Board(lambda: open_program(program), stream, device, SIMULATED_ANSWER_S)
            self.description = "RTL in simulation (Verilator)"
        elif device.startswith(SPI):
            path = Path(device.removeprefix(SPI))
            self.board = Board(lambda: open_spi(path), stream, device, ANSWER_S)
            self.description = f"FPGA at {path}"
        else:
            path = Path(device)
            self.board = Board(lambda: open_serial(path), stream, device, ANSWER_S, packs=True)
            self.description = f"FPGA at {device}"

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """See :meth:`Runner.run`."""
        return {"score": self.board.score(inputs["crops"])}

    def close(self) -> None:
        """Let go of the board."""
        self.board.close()


class Board:
    """One board and what it was loaded with."""

    def __init__(
        self, opener: Opener, stream: Stream, name: str, answer_s: float, *, packs: bool = False
    ) -> None:
        """Open it and load it.

        Args:
            opener: of its line.
            stream: the weights.
            name: for people.
            answer_s: how long an answer is waited for.
            packs: whether pictures go packed: the line is slower than the packing.
        """
        self._opener, self._stream, self._name, self._answer_s = opener, stream, name, answer_s
        self._packs, self._setup = packs, ONCE
        self._tag = self._loads = 0
        self._packet = bytearray()
        self._pipe = opener()
        try:
            self._recover()
        except BaseException:
            self._pipe.close()
            raise

    def close(self) -> None:
        """Let go of it."""
        self._pipe.close()

    def score(self, crops: NDArray[np.uint8]) -> Floats:
        """Return the scores ``float32 [n]`` of crops ``uint8 [n, 1, 64, 64]``.

        Raises:
            SealshotError: the board is gone, or answers nothing sensible.
        """
        for _ in range(TRIES):
            loads = self._loads
            sums = self._sums(crops)
            # one that had to be loaded meanwhile had scored some of them without weights
            if not len(crops) or (self._still_loaded() and self._loads == loads):
                return np.asarray(self._stream.scale * sums.astype(np.float64), np.float32)
            self._recover()
        raise SealshotError(
            f"the board at {self._name} forgets its weights again and again",
            hint="check its supply: it restarts while its port stays",
        )

    def _sums(self, crops: NDArray[np.uint8]) -> NDArray[np.int64]:
        sums = np.zeros(len(crops), np.int64)
        waiting = list(range(len(crops)))[::-1]
        under_way: dict[int, int] = {}  # tag -> crop
        until = time.monotonic() + TRIES * self._answer_s
        while waiting or under_way:
            try:
                while waiting and len(under_way) < PICTURES:
                    tag = self._next_tag()
                    under_way[tag] = waiting.pop()
                    self._send(self._picture(tag, crops[under_way[tag], 0]))
                tag, status, payload = self._answer(Command.PICTURE)
                crop = under_way.pop(tag, None)
                if crop is None:
                    pass  # of a picture that was sent again since
                elif status == Status.DONE and len(payload) == 4:
                    sums[crop] = int.from_bytes(payload, "little", signed=True)
                    until = time.monotonic() + TRIES * self._answer_s
                else:  # damaged on its way, or one too many while the board scores an older one
                    waiting.append(crop)
            except (TimeoutError, PipeClosedError):
                start = time.monotonic()
                self._recover()
                until += time.monotonic() - start  # what it takes to load it again
                waiting += sorted(under_way.values(), reverse=True)
                under_way.clear()
            if time.monotonic() > until:
                raise SealshotError(
                    f"the board at {self._name} gives no whole answer",
                    hint="check the cable; try a shorter one, or another port",
                )
        return sums

    def _still_loaded(self) -> bool:
        """Ask whether what gave the last scores had our weights: one that restarted scores too."""
        try:
            return self._identity() == self._stream.identity
        except PipeClosedError:
            return False

    def repeat(self, crop: NDArray[np.uint8], times: int) -> float:
        """Return the score of a crop that the board computes some times over, while the line rests.

        Args:
            crop: ``uint8 [1, 64, 64]``.
            times: 1 to 2**24; all of them within the time that an answer is waited for.

        Raises:
            SealshotError: as of :meth:`score`.
        """
        self._set_up(ONCE[:1] + (times - 1).to_bytes(3, "little"))
        try:
            return float(self.score(crop[None])[0])
        finally:
            self._set_up(ONCE)

    def _set_up(self, setup: bytes) -> None:
        self._setup = setup  # again after whatever goes wrong
        self.ask(Command.SETUP, setup)

    def _picture(self, tag: int, crop: NDArray[np.uint8]) -> bytes:
        raw = crop.tobytes()
        packed = pack(crop) if self._packs else raw
        if len(packed) < len(raw):
            return protocol.frame(Command.PACKED, tag, packed)
        return protocol.frame(Command.PICTURE, tag, raw)

    def ask(self, command: int, payload: bytes = b"", answer: int | None = None) -> bytes:
        """Send a command, again if need be, and return the payload of its answer.

        Args:
            command: of :class:`~sealshot.kernels.rtl.protocol.Command`.
            payload: of it.
            answer: the command that the answer names, where it is another.

        Raises:
            SealshotError: no whole answer comes, or the board does not know the command.
            PipeClosedError: the other end is gone.
        """
        until = time.monotonic() + TRIES * self._answer_s
        while time.monotonic() < until:
            tag = self._next_tag()
            with suppress(TimeoutError):
                self._send(protocol.frame(command, tag, payload))
                found, status, came = -1, int(Status.DAMAGED), b""
                # one frame that noise cut in two is answered twice: not what was sent since
                while found != tag and time.monotonic() < until:
                    found, status, came = self._answer(command if answer is None else answer)
                if found == tag and status == Status.UNKNOWN:
                    raise SealshotError(
                        f"the board does not take command {command} of {len(payload)} bytes",
                        hint="load this version's bitstream: `sealshot board flash`",
                    )
                if found == tag and status == Status.DONE:
                    return came
        raise SealshotError(
            f"nothing that is a sealshot board answers at {self._name}",
            hint="check the cable, and that its bitstream is loaded: `sealshot board flash`",
        )

    def _recover(self) -> None:
        """Find out who is at the other end, and load it if it has not these weights."""
        for _ in range(TRIES):
            try:
                self._greet()
                return
            except PipeClosedError as error:
                gone = error
                self._pipe.close()
                self._packet.clear()
                if not self._reopen():
                    break
        raise SealshotError(
            f"the board at {self._name} is gone: {gone.reason}", hint=gone.hint
        ) from gone

    def _reopen(self) -> bool:
        """Wait for a board that is gone, and return whether it is back."""
        until = time.monotonic() + BACK_S
        while time.monotonic() < until:
            try:
                self._pipe = self._opener()
                return True
            except InputError:
                time.sleep(0.1)
        return False

    def _greet(self) -> None:
        identity = self._stream.identity
        known = self._identity()
        self.ask(Command.SETUP, self._setup)  # a run that was killed may have left another
        if known == identity:
            return
        self._loads += 1
        half_loaded = identity ^ 0xFFFFFFFF
        self.ask(Command.IDENTITY, half_loaded.to_bytes(4, "little"))
        for command, payload in self._stream.loads():
            self.ask(command, payload)
        if self._identity() != half_loaded:
            raise PipeClosedError("it restarted while it was loaded")
        self.ask(Command.IDENTITY, identity.to_bytes(4, "little"))

    def _identity(self) -> int:
        """Return what the board knows its weights by; 0 where it has none."""
        hello = self.ask(Command.HELLO)
        version, shape = int.from_bytes(hello[:1], "little"), int.from_bytes(hello[1:5], "little")
        if (version, shape) != (protocol.VERSION, SHAPE_ID):
            raise InputError(
                f"the board at {self._name} runs another firmware "
                f"(version {version}, shape {shape:08x})",
                hint="load this version's bitstream: `sealshot board flash`",
            )
        return int.from_bytes(hello[5:9], "little")

    def _next_tag(self) -> int:
        self._tag = (self._tag + 1) % 256
        return self._tag

    def _send(self, data: bytes) -> None:
        """Write a frame; what comes meanwhile is kept."""
        until = time.monotonic() + self._answer_s
        while data:
            written, came = self._pipe.exchange(data, until)
            self._packet += came
            data = data[written:]
            if data and time.monotonic() > until:
                raise TimeoutError

    def _answer(self, command: int) -> tuple[int, int, bytes]:
        """Return tag, status and payload of the next answer to a command."""
        until = time.monotonic() + self._answer_s
        while True:
            for body in self._bodies():
                if body[0] == command | ANSWER and len(body) >= 3:
                    return body[1], body[2], body[3:]
                if len(body) >= 3 and body[2] == Status.DAMAGED:
                    return body[1], body[2], b""  # its command may be what was damaged
            if time.monotonic() > until:
                raise TimeoutError
            self._packet += self._pipe.exchange(b"", until)[1]

    def _bodies(self) -> Iterator[bytes]:
        """Take the whole frames out of what has come; noise between them is dropped."""
        while (end := self._packet.find(END)) >= 0:
            packet = bytes(self._packet[:end])
            del self._packet[: end + 1]
            body = protocol.whole(packet) if packet else None
            if body is not None:
                yield body


def simulation() -> Path:
    """Return the program that is the board in simulation, built where it is not there yet.

    Raises:
        InputError: a tool that builds it is missing, or failed.
    """
    from sealshot.kernels.rtl.build import simulated_board
    from sealshot.kernels.rtl.tools import BuildError

    try:
        return simulated_board(cache_folder("rtl"))
    except BuildError as error:
        raise InputError(
            f"the simulated board cannot be built: {error}",
            hint="it needs `pip install 'sealshot[fpga]'`, g++ and make",
        ) from error
