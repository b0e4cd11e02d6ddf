"""A board in Python that keeps to the protocol, and a line that does what lines do to it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sealshot.kernels.rtl import protocol
from sealshot.kernels.rtl.packing import unpack
from sealshot.kernels.rtl.protocol import ANSWER, END, SHAPE_ID, Command, Status
from sealshot.runtime.engines.bytepipe import BytePipe


@dataclass
class FakeBoard:
    """Scores a picture by the sum of its pixels.

    Attributes:
        line: what becomes of each chunk of bytes on its way to the board.
        back: the same for answers.
        drop: the line is cut after so many pictures; the next pipe starts a board that forgot all.
        restart: it forgets all after so many pictures and goes on, as after a brown-out.
        cuts: the picture under way when it restarts is lost, so that it gives no answer to it.
        restarts_always: it does so after each picture.
    """

    line: Callable[[bytes], bytes] = bytes
    back: Callable[[bytes], bytes] = bytes
    version: int = protocol.VERSION
    drop: int = -1
    restart: int = -1
    cuts: bool = False
    restarts_always: bool = False
    pictures: int = 0
    repeats: list[int] = field(default_factory=list)
    """What each SETUP asked for."""
    packed: int = 0
    """Of the pictures, those that came packed."""
    loads: int = 0
    opened: int = 0
    identity: bytes = field(default=bytes(4))
    cut: bool = False

    def open(self) -> BytePipe:
        """Power it up."""
        self.identity, self.opened = bytes(4), self.opened + 1
        (board_in, host_out), (host_in, board_out) = os.pipe(), os.pipe()
        threading.Thread(target=self._serve, args=(board_in, board_out), daemon=True).start()
        return BytePipe(host_in, host_out)

    def _serve(self, reads: int, writes: int) -> None:
        packet = b""
        try:
            while chunk := os.read(reads, 1 << 16):
                packet += self.line(chunk)
                while END in packet:
                    one, packet = packet.split(bytes((END,)), 1)
                    before = self.pictures
                    if one and self.cut and one[0] == Command.PICTURE:
                        self.cut, one = False, b""
                    if one:
                        os.write(writes, self.back(self._answer(one)))
                    always = self.restarts_always and self.pictures > before
                    if always or self.restart == self.pictures:
                        self.restart, self.identity, self.cut = -1, bytes(4), self.cuts
                    if self.drop == self.pictures:
                        self.drop = -1
                        return
        except OSError:
            pass
        finally:
            os.close(reads)
            os.close(writes)

    def _answer(self, packet: bytes) -> bytes:
        body = protocol.whole(packet)
        if body is None:
            damaged = packet.ljust(2, b"\0")[:2]
            return self._frame(damaged[0], damaged[1], Status.DAMAGED)
        command, tag, payload = body[0], body[1], body[2:]
        if command == Command.HELLO:
            answer = bytes((self.version,)) + SHAPE_ID.to_bytes(4, "little") + self.identity
            return self._frame(command, tag, Status.DONE, answer + bytes(4))
        if command == Command.SETUP:
            self.repeats.append(int.from_bytes(payload[1:], "little"))
        if command == Command.IDENTITY:
            self.identity = payload
        self.loads += command == Command.PARAMETERS  # one frame of them ends a load
        if command in (Command.PICTURE, Command.PACKED):
            self.pictures += 1
            self.packed += command == Command.PACKED
            pixels = unpack(payload) if command == Command.PACKED else payload
            total = int(np.frombuffer(pixels, np.uint8).astype(np.int64).sum())
            total *= self.identity != bytes(4)  # without weights a score is worth nothing
            return self._frame(Command.PICTURE, tag, Status.DONE, total.to_bytes(4, "little"))
        return self._frame(command, tag, Status.DONE)

    @staticmethod
    def _frame(command: int, tag: int, status: int, payload: bytes = b"") -> bytes:
        body = bytes((command & 127 | ANSWER, tag, status)) + payload
        return protocol.slip(protocol.checked(body))
