"""The board's side of :mod:`~.protocol`: bytes in, bytes out, and the engine behind."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Elaboratable, Module, Mux, Signal

from sealshot.kernels.rtl.engine import ScoreEngine
from sealshot.kernels.rtl.framing import Receiver, Sender
from sealshot.kernels.rtl.intake import SETTLE, Intake
from sealshot.kernels.rtl.protocol import ANSWER, SHAPE_ID, VERSION, Command, Status

READ_BYTES = 5


class Link(Elaboratable):
    """A scorer that is spoken to in bytes.

    Attributes:
        data_in, valid_in, ready_in: from the line. A line that cannot wait must leave
            :data:`SETTLE` cycles and three more between bytes.
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
        """Build receiver, intake, commands, answers and engine."""
        m = Module()
        m.submodules.receiver = receiver = Receiver()
        m.submodules.intake = intake = Intake()
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
            intake.byte.eq(receiver.byte),
            intake.valid.eq(receiver.byte_valid),
            receiver.byte_ready.eq(intake.ready),
            intake.asked.eq(receiver.takes),
            intake.end.eq(receiver.end),
            intake.full.eq(engine.full),
            engine.weight_address.eq(intake.index),
            engine.weight_data.eq(intake.weight),
            engine.weight_write.eq(intake.weight_write),
            engine.parameter_write_address.eq(intake.index),
            engine.parameter_data.eq(intake.parameter),
            engine.parameter_write.eq(intake.parameter_write),
            engine.pixel.eq(intake.pixel),
            engine.pixel_at.eq(intake.pixel_at),
            engine.pixel_write.eq(intake.pixel_write),
        ]
        argument = intake.argument
        answer = Signal(8)
        answer_tag = Signal(8)
        status = Signal(8)
        wanted = Signal()  # an answer to the frame that came last
        identity = Signal(32)
        tags = [Signal(8, name=f"picture_tag_{i}") for i in range(2)]
        newest = Signal()
        oldest = Signal()
        read_left = Signal(16)
        picture = Signal()
        m.d.comb += engine.picture.eq(picture)
        m.d.sync += picture.eq(0)
        with m.If(receiver.end):
            packed = intake.command == Command.PACKED  # answered as any picture
            m.d.sync += answer.eq(Mux(packed, Command.PICTURE, intake.command))
            m.d.sync += [answer_tag.eq(intake.tag), wanted.eq(1)]
            with m.If(~receiver.good):
                m.d.sync += status.eq(Status.DAMAGED)
            with m.Else():
                m.d.sync += status.eq(Status.DONE)
                with m.Switch(intake.command):
                    with m.Case(Command.PICTURE, Command.PACKED):
                        with m.If(~intake.whole):
                            m.d.sync += status.eq(Status.UNKNOWN)
                        with m.Elif(~intake.room):
                            m.d.sync += status.eq(Status.FULL)
                        with m.Else():
                            m.d.sync += [picture.eq(1), wanted.eq(0), newest.eq(~newest)]
                            for i in range(2):
                                with m.If(newest == i):
                                    m.d.sync += tags[i].eq(intake.tag)
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
        last = Cat(answer | ANSWER, answer_tag, status)
        hello_is_asked = (answer == Command.HELLO) & (status == Status.DONE)
        read_is_asked = (answer == Command.READ) & (status == Status.DONE)

        body = Signal(128)
        left = Signal(5)
        wait = Signal(range(SETTLE + 1))
        words = Signal(16)
        m.d.comb += [sender.byte.eq(body[:8]), sender.last.eq((left == 1) & (words == 0))]
        head = 3
        with m.FSM():
            with m.State("IDLE"):
                with m.If(wanted):
                    m.d.sync += [wanted.eq(0), words.eq(0)]
                    m.d.sync += body.eq(Cat(last, hello))
                    m.d.sync += left.eq(head)
                    with m.If(hello_is_asked):
                        m.d.sync += left.eq(head + len(hello) // 8)
                    with m.If(read_is_asked):
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
                with m.If(sender.taken):
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
        return m
