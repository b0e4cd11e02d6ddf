"""The scorer in an FPGA, over a pipe of bytes: a board at a serial port or SPI, or a simulated one.

The frames are those of :mod:`sealshot.kernels.rtl.protocol`. Two pictures are under way at once:
one is scored while the next comes in. All commands may be repeated, so whatever goes wrong has one
remedy: ask the board who it is, load it again if it has forgotten, send again what is unanswered.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import cache_folder
from sealshot.runtime.types import Floats

STREAM = ".fpga"
"""Suffix of a file of weights for the board."""
SIMULATION = "sim"
SPI = "spi:"
"""Before the path of an SPI device; a path alone is a serial port."""
ANSWER_S = 2.0
"""At 3 Mbaud a picture takes 14 ms and its score 0.5 ms more."""
SIMULATED_ANSWER_S = 120.0
TRIES = 4
BACK_S = 10.0
"""How long a board that is gone is waited for."""
WORDS_A_FRAME = 32
Opener = Callable[[], BytePipe]


def same_graph(model: Path) -> Path:
    """Return the graph that gives, on a processor, the same scores as a stream in an FPGA.

    Raises:
        InputError: it does not lie beside the stream.
    """
    graph = model.with_name(model.name.removesuffix(STREAM).removesuffix("-stream") + ".onnx")
    if not graph.is_file():
        raise InputError(
            f"{graph} is not there: without it no processor gives the scores of {model.name}",
            hint="`sealshot export --engine fpga` writes both; copy both",
        )
    return graph


@dataclass(frozen=True, eq=False)
class Stream:
    """What a board is loaded with, as ``NAME.fpga`` holds it."""

    weights: NDArray[np.uint8]
    """``[words, 128]``."""
    parameters: NDArray[np.uint8]
    """``[words, 22]``."""
    scale: float
    """Score of one unit of the last sum."""

    @property
    def identity(self) -> int:
        """What a board knows these weights by; never 0."""
        return zlib.crc32(self.parameters.tobytes(), zlib.crc32(self.weights.tobytes())) or 1


def read_stream(path: Path) -> Stream:
    """Read a file that `sealshot export --engine fpga` wrote.

    Raises:
        InputError: it is missing, none, or for hardware of another shape.
    """
    try:
        with np.load(path, allow_pickle=False) as kept:
            shape = int(kept["shape"])
            stream = Stream(kept["weights"], kept["parameters"], float(kept["scale"]))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(
            f"{path} holds no weights for an FPGA", hint="`sealshot export --engine fpga` makes it"
        ) from error
    if (
        shape != SHAPE_ID
        or stream.weights.shape[1:] != (128,)
        or stream.parameters.shape[1:] != (22,)
    ):
        raise InputError(
            f"{path} is for hardware of another shape", hint="export it again with this version"
        )
    return stream


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
        self._packs = packs
        self._tag = 0
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
                if tag not in under_way:
                    continue  # of a picture that was sent again since
                crop = under_way.pop(tag)
                if status == Status.DONE and len(payload) == 4:
                    sums[crop] = int.from_bytes(payload, "little", signed=True)
                    until = time.monotonic() + TRIES * self._answer_s
                else:  # damaged on its way, or one too many while the board scores an older one
                    waiting.append(crop)
            except (TimeoutError, PipeClosedError):
                self._recover()
                waiting += sorted(under_way.values(), reverse=True)
                under_way.clear()
            if time.monotonic() > until:
                raise SealshotError(
                    f"the board at {self._name} gives no whole answer",
                    hint="check the cable; try a shorter one, or another port",
                )
        return np.asarray(self._stream.scale * sums.astype(np.float64), np.float32)

    def repeat(self, crop: NDArray[np.uint8], times: int) -> float:
        """Return the score of a crop that the board computes some times over, while the line rests.

        Args:
            crop: ``uint8 [1, 64, 64]``.
            times: 1 to 2**24; all of them within the time that an answer is waited for.

        Raises:
            SealshotError: as of :meth:`score`.
        """
        last = bytes((len(LAYERS) - 1,))
        self.ask(Command.SETUP, last + (times - 1).to_bytes(3, "little"))
        try:
            return float(self.score(crop[None])[0])
        finally:
            self.ask(Command.SETUP, last + bytes(3))

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
        for _ in range(TRIES):
            tag = self._next_tag()
            try:
                self._send(protocol.frame(command, tag, payload))
                while True:
                    found, status, came = self._answer(command if answer is None else answer)
                    if status == Status.UNKNOWN:
                        raise SealshotError(
                            f"the board does not take command {command} of {len(payload)} bytes",
                            hint="load this version's bitstream: `sealshot board flash`",
                        )
                    if found == tag and status == Status.DONE:
                        return came
                    if status != Status.DONE:
                        break
            except TimeoutError:
                continue
        raise SealshotError(
            f"nothing that is a sealshot board answers at {self._name}",
            hint="check the cable, and that its bitstream is loaded: `sealshot board flash`",
        )

    def _recover(self) -> None:
        """Find out who is at the other end, and load it if it has not these weights."""
        until = time.monotonic() + BACK_S
        while True:
            try:
                self._greet()
                return
            except PipeClosedError as error:
                self._pipe.close()
                self._packet.clear()
                self._reopen(until, error)

    def _reopen(self, until_s: float, gone: PipeClosedError) -> None:
        while True:
            if time.monotonic() > until_s:
                raise SealshotError(
                    f"the board at {self._name} is gone: {gone}", hint="plug it in again"
                ) from gone
            try:
                self._pipe = self._opener()
                return
            except InputError:
                time.sleep(0.1)

    def _greet(self) -> None:
        hello = self.ask(Command.HELLO)
        version, shape = hello[0], int.from_bytes(hello[1:5], "little")
        if (version, shape) != (protocol.VERSION, SHAPE_ID):
            raise InputError(
                f"the board at {self._name} runs another firmware "
                f"(version {version}, shape {shape:08x})",
                hint="load this version's bitstream: `sealshot board flash`",
            )
        if int.from_bytes(hello[5:9], "little") == self._stream.identity:
            return
        for command, words, most in (
            (Command.WEIGHTS, self._stream.weights, WORDS_A_FRAME),
            (Command.PARAMETERS, self._stream.parameters, len(self._stream.parameters)),
        ):
            for i in range(0, len(words), most):
                part = words[i : i + most].tobytes()
                self.ask(command, i.to_bytes(2, "little") + part)
        self.ask(Command.IDENTITY, self._stream.identity.to_bytes(4, "little"))

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
