"""Frames of bytes: SLIP and CRC undone on the way in, added on the way out."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Elaboratable, Module, Mux, Signal

from sealshot.kernels.rtl.protocol import END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE

CRC_POLYNOMIAL = 0xEDB88320
CRC_GOOD = 0xDEBB20E3
"""What is left of a frame with its own CRC behind it."""


class Receiver(Elaboratable):
    """Undoes SLIP and checks the CRC.

    Attributes:
        data, valid, ready: bytes of the line.
        takes: a byte of the line is taken.
        byte, byte_valid, byte_ready: bytes of a frame, its CRC too.
        end, good: the frame is over; whether it was whole.
    """

    def __init__(self) -> None:
        self.data = Signal(8)
        self.valid = Signal()
        self.ready = Signal()
        self.takes = Signal()
        self.byte = Signal(8)
        self.byte_valid = Signal()
        self.byte_ready = Signal()
        self.end = Signal()
        self.good = Signal()

    def elaborate(self, platform: Any) -> Module:
        """Build it: a byte every third cycle, as :class:`~.intake.Intake` takes them."""
        m = Module()
        escaped = Signal()
        any_byte = Signal()
        crc = Signal(32, init=0xFFFFFFFF)
        takes = self.takes
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
        m.d.sync += self.good.eq(crc == CRC_GOOD)  # a byte and its END are three edges apart
        with m.If(self.end):
            m.d.sync += crc.eq(0xFFFFFFFF)
        return m


class Sender(Elaboratable):
    """Adds CRC and SLIP to bytes of a frame.

    Attributes:
        byte, valid: a byte of a frame; ``last`` with its last.
        taken: the byte was taken, an edge ago; the next is not taken within three edges.
        data, data_valid, data_ready: bytes of the line.
    """

    def __init__(self) -> None:
        self.byte = Signal(8)
        self.valid = Signal()
        self.taken = Signal()
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
        m.d.sync += self.taken.eq(0)
        with m.FSM():
            with m.State("BETWEEN"):
                m.d.sync += [crc.eq(0xFFFFFFFF), left.eq(0), self.data.eq(END)]
                with m.If(self.valid):
                    m.d.comb += self.data_valid.eq(1)
                    with m.If(self.data_ready & (self.data == END)):
                        m.next = "BODY"
            with m.State("BODY"), m.If(self.valid):
                m.d.sync += [
                    self.taken.eq(1),
                    byte.eq(self.byte),
                    crc.eq(crc_step(crc, self.byte)),
                ]
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
