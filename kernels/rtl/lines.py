"""The lines of a board, bit by bit: a UART, an SPI slave, and the choice between the two."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal
from amaranth.lib.cdc import FFSynchronizer

from sealshot.kernels.rtl.protocol import END

UART_BAUD = 3_000_000
IDLE_BITS = 1
"""A UART's line rests at 1."""


class Uart(Elaboratable):
    """8 bits, no parity, one stop bit.

    Args:
        divisor: cycles of a bit.

    Attributes:
        rx, tx: the line.
        data, valid: a byte that came, for one cycle.
        out, out_valid, out_ready: a byte to be sent.
    """

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        self.rx = Signal(init=IDLE_BITS)
        self.tx = Signal(init=IDLE_BITS)
        self.data = Signal(8)
        self.valid = Signal()
        self.out = Signal(8)
        self.out_valid = Signal()
        self.out_ready = Signal()

    def elaborate(self, platform: Any) -> Module:
        """Build both ways."""
        m = Module()
        rx = Signal(init=IDLE_BITS)
        m.submodules.rx = FFSynchronizer(self.rx, rx, init=IDLE_BITS)
        wait = Signal(range(2 * self.divisor))
        left = Signal(4)
        bits = Signal(8)
        m.d.sync += [self.valid.eq(0), wait.eq(wait - 1)]
        with m.If(left == 0):
            m.d.sync += wait.eq(self.divisor // 2)  # the middle of the start bit
            with m.If(~rx):
                m.d.sync += left.eq(10)
        with m.Elif(wait == 0):
            m.d.sync += [wait.eq(self.divisor - 1), left.eq(left - 1)]
            m.d.sync += bits.eq(Cat(bits[1:], rx))
            with m.If((left == 10) & rx):  # noise, and no start bit
                m.d.sync += left.eq(0)
            with m.If(left == 1):  # the stop bit
                m.d.sync += [self.valid.eq(rx), self.data.eq(bits)]

        gap = Signal(range(self.divisor))
        frame = Signal(9, init=2**9 - 1)
        sent = Signal(4)
        m.d.comb += [self.tx.eq(frame[0]), self.out_ready.eq(sent == 0)]
        m.d.sync += gap.eq(gap - 1)
        with m.If(sent == 0):
            m.d.sync += gap.eq(self.divisor - 1)
            with m.If(self.out_valid):
                m.d.sync += [frame.eq(Cat(0, self.out)), sent.eq(10)]
        with m.Elif(gap == 0):
            m.d.sync += [frame.eq(Cat(frame[1:], 1)), sent.eq(sent - 1)]
            m.d.sync += gap.eq(self.divisor - 1)
        return m


class SpiSlave(Elaboratable):
    """Mode 0, highest bit first, sampled by a clock five times as fast as the line's or more.

    A master clocks bytes both ways at once; one that has nothing to say sends END, and where the
    board has nothing to say it sends END too: to SLIP that is nothing. The slave's bit changes two
    to three cycles after the rising edge at which the master took the last one: the master has the
    rest of its period to see it.

    Attributes:
        sck, cs_n, mosi, miso: the line.
        data, valid: a byte that came, for one cycle.
        out, out_valid, out_ready: a byte to be sent.
    """

    def __init__(self) -> None:
        self.sck = Signal()
        self.cs_n = Signal(init=1)
        self.mosi = Signal()
        self.miso = Signal()
        self.data = Signal(8)
        self.valid = Signal()
        self.out = Signal(8)
        self.out_valid = Signal()
        self.out_ready = Signal()

    def elaborate(self, platform: Any) -> Module:
        """Build it."""
        m = Module()
        sck, cs_n, mosi, before = Signal(), Signal(init=1), Signal(), Signal()
        m.submodules.sck = FFSynchronizer(self.sck, sck)
        m.submodules.cs_n = FFSynchronizer(self.cs_n, cs_n, init=1)
        m.submodules.mosi = FFSynchronizer(self.mosi, mosi)
        place = Signal(3)
        came = Signal(8)
        goes = Signal(8, init=END)
        m.d.comb += self.miso.eq(goes[-1])
        m.d.sync += [before.eq(sck), self.valid.eq(0)]
        with m.If(cs_n):
            m.d.sync += place.eq(0)
        with m.Elif(sck & ~before):
            m.d.sync += [
                came.eq(Cat(mosi, came[:-1])),
                goes.eq(Cat(1, goes[:-1])),
                place.eq(place + 1),
            ]
            with m.If(place == 7):
                m.d.comb += self.out_ready.eq(1)
                m.d.sync += [
                    self.data.eq(Cat(mosi, came[:-1])),
                    self.valid.eq(1),
                    goes.eq(Mux(self.out_valid, self.out, END)),
                ]
        return m


class Lines(Elaboratable):
    """Both lines: answers go where the last byte came from that was no END.

    Attributes:
        uart, spi: the two.
        data, valid, ready: bytes to the :class:`~.link.Link`; one that it does not take in time is
            lost, and its frame with it.
        out, out_valid, out_ready: bytes from it; ready for one edge when one was taken.
    """

    def __init__(self, divisor: int) -> None:
        self.uart = Uart(divisor)
        self.spi = SpiSlave()
        self.data = Signal(8)
        self.valid = Signal()
        self.ready = Signal()
        self.out = Signal(8)
        self.out_valid = Signal()
        self.out_ready = Signal()

    def elaborate(self, platform: Any) -> Module:
        """Build it."""
        m = Module()
        m.submodules.uart = uart = self.uart
        m.submodules.spi = spi = self.spi
        by_spi = Signal()
        with m.If(self.ready):
            m.d.sync += self.valid.eq(0)
        for line, is_spi in ((uart, 0), (spi, 1)):
            with m.If(line.valid):
                m.d.sync += [self.data.eq(line.data), self.valid.eq(1)]
                with m.If(line.data != END):
                    m.d.sync += by_spi.eq(is_spi)
        m.d.comb += [
            uart.out.eq(self.out),
            spi.out.eq(self.out),
            uart.out_valid.eq(self.out_valid & ~by_spi),
            spi.out_valid.eq(self.out_valid & by_spi),
        ]
        # the lines lie at their pins: what they took, the scorer hears an edge later
        m.d.sync += self.out_ready.eq(
            Mux(by_spi, spi.out_ready & spi.out_valid, uart.out_ready & uart.out_valid)
        )
        return m
