"""The board's side of :mod:`~.protocol`: bytes in, bytes out, and the engine behind."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Elaboratable, Module, Mux, Signal

from sealshot.kernels.rtl.engine import ScoreEngine
from sealshot.kernels.rtl.protocol import (
    ANSWER,
    END,
    ESCAPE,
    ESCAPED_END,
    ESCAPED_ESCAPE,
    SHAPE_ID,
    VERSION,
    Command,
    Status,
)

CRC_POLYNOMIAL = 0xEDB88320
CRC_GOOD = 0xDEBB20E3
"""What is left of a frame with its own CRC behind it."""
WORD_BYTES, PARAMETER_BYTES, READ_BYTES = 128, 22, 5
PICTURE_BYTES = 4096
SETTLE = 7
"""Cycles that a word of weights needs to be written, or one of memory to be read."""


class Receiver(Elaboratable):
    """Undoes SLIP and checks the CRC.

    Attributes:
        data, valid, ready: bytes of the line.
        byte, byte_valid, byte_ready: bytes of a frame, its CRC too.
        end, good: the frame is over; whether it was whole.
    """

    def __init__(self) -> None:
        self.data = Signal(8)
        self.valid = Signal()
        self.ready = Signal()
        self.byte = Signal(8)
        self.byte_valid = Signal()
        self.byte_ready = Signal()
        self.end = Signal()
        self.good = Signal()

    def elaborate(self, platform: Any) -> Module:
        """Build it: one byte a cycle."""
        m = Module()
        escaped = Signal()
        any_byte = Signal()
        crc = Signal(32, init=4294967295)
        takes = Signal()
        m.d.comb += [self.ready.eq(self.byte_ready), takes.eq(self.valid & self.byte_ready)]
        m.d.sync += [self.byte_valid.eq(0), self.end.eq(0)]
        with m.If(self.byte_valid):
            m.d.sync += crc.eq(crc_step(crc, self.byte))
        with m.If(takes):
            m.d.sync += escaped.eq(self.data == ESCAPE)
            with m.If(self.data == END):
                m.d.sync += [self.end.eq(any_byte), any_byte.eq(0)]
            with m.Elif(self.data != ESCAPE):
                m.d.sync += [self.byte_valid.eq(1), self.byte.eq(self.data), any_byte.eq(1)]
                with m.If(escaped):
                    m.d.sync += self.byte.eq(Mux(self.data == ESCAPED_END, END, ESCAPE))
        m.d.comb += self.good.eq(crc == CRC_GOOD)
        with m.If(self.end):
            m.d.sync += crc.eq(0xFFFFFFFF)
        return m


class Sender(Elaboratable):
    """Adds CRC and SLIP to bytes of a frame.

    Attributes:
        byte, valid, ready: bytes of a frame; ``last`` with its last.
        data, data_valid, data_ready: bytes of the line.
    """

    def __init__(self) -> None:
        self.byte = Signal(8)
        self.valid = Signal()
        self.ready = Signal()
        self.last = Signal()
        self.data = Signal(8)
        self.data_valid = Signal()
        self.data_ready = Signal()

    def elaborate(self, platform: Any) -> Module:
        """Build it."""
        m = Module()
        crc = Signal(32)
        left = Signal(3)
        byte = Signal(8)
        then = Signal()
        special = (byte == END) | (byte == ESCAPE)
        with m.FSM():
            with m.State("BETWEEN"):
                m.d.sync += [crc.eq(0xFFFFFFFF), left.eq(0), self.data.eq(END)]
                with m.If(self.valid):
                    m.d.comb += self.data_valid.eq(1)
                    with m.If(self.data_ready & (self.data == END)):
                        m.next = "BODY"
            with m.State("BODY"):
                m.d.comb += self.ready.eq(1)
                with m.If(self.valid):
                    m.d.sync += [byte.eq(self.byte), crc.eq(crc_step(crc, self.byte))]
                    m.d.sync += [then.eq(self.last), left.eq(4)]
                    m.next = "FIRST"
            with m.State("CRC"):
                m.d.sync += [byte.eq(~crc[:8]), crc.eq(crc >> 8), left.eq(left - 1)]
                m.next = "FIRST"
                with m.If(left == 0):
                    m.d.sync += self.data.eq(END)
                    m.next = "CLOSE"
            with m.State("FIRST"):
                m.d.sync += self.data.eq(Mux(special, ESCAPE, byte))
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.data_valid.eq(1)
                with m.If(self.data_ready):
                    m.next = "MORE"
                    with m.If(special & (self.data == ESCAPE)):
                        m.d.sync += [
                            self.data.eq(Mux(byte == END, ESCAPED_END, ESCAPED_ESCAPE)),
                            byte.eq(0),
                        ]
                        m.next = "SEND"
            with m.State("MORE"):
                m.next = "BODY"
                with m.If(then):
                    m.next = "CRC"
            with m.State("CLOSE"):
                m.d.comb += self.data_valid.eq(1)
                with m.If(self.data_ready):
                    m.next = "BETWEEN"
        return m


class Link(Elaboratable):
    """A scorer that is spoken to in bytes.

    Attributes:
        data_in, valid_in, ready_in: from the line. A line that cannot wait must leave
            :data:`SETTLE` cycles between bytes.
        data_out, valid_out, ready_out: to the line.
        idle: nothing is being scored.
    """

    def __init__(self) -> None:
        self.data_in = Signal(8)
        self.valid_in = Signal()
        self.ready_in = Signal()
        self.data_out = Signal(8)
        self.valid_out = Signal()
        self.ready_out = Signal()
        self.idle = Signal()

    def elaborate(self, platform: Any) -> Module:
        """Build receiver, commands, answers and engine."""
        m = Module()
        m.submodules.receiver = receiver = Receiver()
        m.submodules.sender = sender = Sender()
        m.submodules.engine = engine = ScoreEngine()
        m.d.comb += [
            receiver.data.eq(self.data_in),
            receiver.valid.eq(self.valid_in),
            self.ready_in.eq(receiver.ready),
            self.data_out.eq(sender.data),
            self.valid_out.eq(sender.data_valid),
            sender.data_ready.eq(self.ready_out),
            self.idle.eq(engine.idle),
        ]
        command = Signal(8)
        tag = Signal(8)
        count = Signal(13)
        answer = Signal(8)
        answer_tag = Signal(8)
        status = Signal(8)
        wanted = Signal()  # an answer to the frame that came last
        identity = Signal(32)
        argument = Signal(40)
        tags = [Signal(8, name=f"picture_tag_{i}") for i in range(2)]
        newest = Signal()
        oldest = Signal()
        room = Signal()
        self._receive(m, receiver, engine, command, tag, count, argument, room)
        read_left = Signal(16)
        with m.If(receiver.end):
            m.d.sync += [count.eq(0), answer.eq(command), answer_tag.eq(tag), wanted.eq(1)]
            with m.If(~receiver.good):
                m.d.sync += status.eq(Status.DAMAGED)
            with m.Else():
                m.d.sync += status.eq(Status.DONE)
                with m.Switch(command):
                    with m.Case(Command.PICTURE):
                        with m.If(count != 2 + PICTURE_BYTES + 4):
                            m.d.sync += status.eq(Status.UNKNOWN)
                        with m.Elif(~room):
                            m.d.sync += status.eq(Status.FULL)
                        with m.Else():
                            m.d.comb += engine.picture.eq(1)
                            m.d.sync += [wanted.eq(0), newest.eq(~newest)]
                            for i in range(2):
                                with m.If(newest == i):
                                    m.d.sync += tags[i].eq(tag)
                    with m.Case(Command.SETUP):
                        m.d.sync += [
                            engine.stop_after.eq(argument[:4]),
                            engine.repeat.eq(argument[8:]),
                        ]
                    with m.Case(Command.READ):
                        m.d.sync += read_left.eq(argument[24:])
                    with m.Case(Command.IDENTITY):
                        m.d.sync += identity.eq(argument[:32])
                    with m.Case(Command.HELLO, Command.WEIGHTS, Command.PARAMETERS):
                        pass
                    with m.Default():
                        m.d.sync += status.eq(Status.UNKNOWN)
        hello = Cat(Const(VERSION, 8), Const(SHAPE_ID, 32), identity, engine.cycles, Const(0, 8))
        self._answer(
            m,
            sender,
            engine,
            wanted,
            answer,
            answer_tag,
            status,
            hello,
            tags,
            oldest,
            argument,
            read_left,
        )
        return m

    def _receive(
        self,
        m: Module,
        receiver: Receiver,
        engine: ScoreEngine,
        command: Signal,
        tag: Signal,
        count: Signal,
        argument: Signal,
        room: Signal,
    ) -> None:
        """Take the bytes of a frame to where its command says."""
        at = Signal(8)
        settle = Signal(3)
        index = Signal(16)
        parameter = Signal(8 * PARAMETER_BYTES)
        m.d.comb += engine.parameter_data.eq(parameter)
        byte = receiver.byte
        m.d.comb += receiver.byte_ready.eq((settle == 0) & ~receiver.byte_valid & ~receiver.end)
        m.d.sync += [engine.weight_write.eq(0), engine.parameter_write.eq(0)]
        m.d.sync += engine.pixel_write.eq(0)
        with m.If(settle != 0):
            m.d.sync += settle.eq(settle - 1)
            with m.If(settle == 1):
                m.d.sync += index.eq(index + 1)
        m.d.comb += [
            engine.weight_address.eq(index),
            engine.parameter_write_address.eq(index),
        ]
        with m.If(receiver.byte_valid):
            m.d.sync += count.eq(Mux(count.all(), count, count + 1))
            with m.If(count == 0):
                m.d.sync += command.eq(byte)
            with m.Elif(count == 1):
                m.d.sync += [tag.eq(byte), at.eq(0), room.eq(~engine.full)]
            with m.Else():
                payload = Signal(13)
                m.d.comb += payload.eq(count - 2)
                for i in range(len(argument) // 8):
                    with m.If(payload == i):
                        m.d.sync += argument.word_select(i, 8).eq(byte)
                with m.Switch(command):
                    with m.Case(Command.WEIGHTS, Command.PARAMETERS):
                        is_weight = command == Command.WEIGHTS
                        with m.If(payload < 2):
                            m.d.sync += index.eq(Cat(index[8:], byte))
                        with m.Else():
                            m.d.sync += at.eq(at + 1)
                            with m.If(is_weight):
                                m.d.sync += engine.weight_data.eq(Cat(engine.weight_data[8:], byte))
                                with m.If(at == WORD_BYTES - 1):
                                    m.d.sync += [at.eq(0), settle.eq(SETTLE)]
                                    m.d.sync += engine.weight_write.eq(1)
                            with m.Else():
                                m.d.sync += parameter.eq(Cat(parameter[8:], byte))
                                with m.If(at == PARAMETER_BYTES - 1):
                                    m.d.sync += [at.eq(0), settle.eq(SETTLE)]
                                    m.d.sync += engine.parameter_write.eq(1)
                    with m.Case(Command.PICTURE), m.If(payload < PICTURE_BYTES):
                        m.d.sync += [
                            engine.pixel_write.eq(room),
                            engine.pixel_at.eq(payload),
                            engine.pixel.eq(byte),
                        ]

    def _answer(
        self,
        m: Module,
        sender: Sender,
        engine: ScoreEngine,
        wanted: Signal,
        answer: Signal,
        answer_tag: Signal,
        status: Signal,
        hello: Any,
        tags: list[Signal],
        oldest: Signal,
        argument: Signal,
        read_left: Signal,
    ) -> None:
        """Send the answers: of the last frame, of a picture that is scored."""
        body = Signal(128)
        left = Signal(5)
        wait = Signal(3)
        words = Signal(16)
        m.d.comb += [sender.byte.eq(body[:8]), sender.last.eq((left == 1) & (words == 0))]
        head = 3
        with m.FSM():
            with m.State("IDLE"):
                with m.If(wanted):
                    m.d.sync += [wanted.eq(0), words.eq(0)]
                    m.d.sync += body.eq(Cat(answer | ANSWER, answer_tag, status, hello))
                    m.d.sync += left.eq(head)
                    with m.If((answer == Command.HELLO) & (status == Status.DONE)):
                        m.d.sync += left.eq(head + len(hello) // 8)
                    with m.If((answer == Command.READ) & (status == Status.DONE)):
                        m.d.sync += words.eq(read_left)
                    m.next = "SEND"
                with m.Elif(engine.score_valid):
                    kind = Const(Command.PICTURE | ANSWER, 8)
                    tag = Mux(oldest, tags[1], tags[0])
                    score = engine.score
                    m.d.comb += engine.score_taken.eq(1)
                    m.d.sync += [
                        body.eq(Cat(kind, tag, Const(Status.DONE, 8), score,
                                    score[-1].replicate(8))),
                        left.eq(head + 4), words.eq(0), oldest.eq(~oldest),
                    ]  # fmt: skip
                    m.next = "SEND"
                m.d.sync += [
                    engine.debug_source.eq(argument[:2]),
                    engine.debug_address.eq(argument[8:24]),
                ]
            with m.State("SEND"):
                m.d.comb += sender.valid.eq(1)
                with m.If(sender.ready):
                    m.d.sync += [body.eq(body >> 8), left.eq(left - 1), wait.eq(SETTLE)]
                    with m.If(left == 1):
                        m.next = "IDLE"
                        with m.If(words != 0):
                            m.next = "READ"
            with m.State("READ"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += [body.eq(engine.debug_word), left.eq(READ_BYTES)]
                    m.d.sync += [words.eq(words - 1)]
                    m.d.sync += engine.debug_address.eq(engine.debug_address + 1)
                    m.next = "SEND"


def crc_step(crc: Any, byte: Any) -> Any:
    """Return the CRC-32 after one more byte, as a function of each bit (IEEE 802.3)."""
    bits = [{("crc", i)} for i in range(32)]
    for i in range(8):
        bits[i] ^= {("byte", i)}
    for _ in range(8):
        out = bits[0]
        bits = [*bits[1:], set()]
        for i in range(32):
            if CRC_POLYNOMIAL >> i & 1:
                bits[i] = bits[i] ^ out
    sources = {"crc": crc, "byte": byte}
    terms = []
    for wires in bits:
        term: Any = Const(0, 1)
        for name, i in sorted(wires):
            term = term ^ sources[name][i]
        terms.append(term)
    return Cat(terms)
