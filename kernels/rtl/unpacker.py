"""Pixels out of the bytes of :mod:`~.packing`, a bit a cycle and three cycles more a pixel."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal

from sealshot.kernels.rtl.packing import K_BITS
from sealshot.kernels.rtl.shape import CROP_PX

PIXELS = CROP_PX * CROP_PX


class Unpacker(Elaboratable):
    """The pixels of a picture.

    It is to be reset before each picture.

    Attributes:
        byte, valid: of it; only while ``ready``, which it is 40 cycles after a byte at the latest.
        ready: the byte is used up.
        pixel, at, write: a pixel and its place.
        whole: all pixels were given; more bytes change nothing.
    """

    def __init__(self) -> None:
        self.byte = Signal(8)
        self.valid = Signal()
        self.ready = Signal()
        self.pixel = Signal(8)
        self.at = Signal(range(PIXELS))
        self.write = Signal()
        self.whole = Signal()

    def elaborate(self, platform: Any) -> Module:
        """Build it."""
        m = Module()
        bits = Signal(8)
        left = Signal(4)
        k, ones, low = Signal(K_BITS), Signal(8), Signal(8)
        place = Signal(range(8))
        here = Signal(range(PIXELS))
        history = Signal(8 * (CROP_PX + 1))
        busy = Signal()  # with a pixel whose bits are all here
        takes = Signal()
        bit = bits[0]
        m.d.comb += [
            takes.eq((left != 0) & ~busy),
            self.ready.eq((left == 0) & ~self.valid & ~busy),
        ]
        m.d.sync += self.write.eq(0)

        first_row, first_column = Signal(init=1), Signal(init=1)
        w, n, nw = (Signal(8, name=name) for name in ("w", "n", "nw"))
        before, above, above_left = history[:8], history[-16:-8], history[-8:]
        least, most, slope = Signal(8), Signal(8), Signal(8)
        error, foretold = Signal(8), Signal(8)
        m.d.sync += [  # in good time: no pixel's bits are all here the edge after the last one
            w.eq(Mux(first_column, above, before)),
            n.eq(Mux(first_row, before, above)),
            nw.eq(Mux(first_column, above, Mux(first_row, before, above_left))),
        ]
        with m.FSM():
            with m.State("K"), m.If(takes & ~self.whole):
                m.d.sync += [k.eq(Cat(k[1:], bit)), place.eq(place + 1)]
                with m.If(place == K_BITS - 1):
                    m.d.sync += [ones.eq(0), low.eq(0), place.eq(0)]
                    m.next = "ONES"
            with m.State("ONES"), m.If(takes):
                m.d.sync += ones.eq(ones + 1)
                with m.If(~bit):
                    m.d.sync += ones.eq(ones)
                    m.next = "LOW"
                    with m.If(k == 0):
                        m.next = "NEIGHBOURS"
            with m.State("LOW"), m.If(takes):
                m.d.sync += [low.bit_select(place, 1).eq(bit), place.eq(place + 1)]
                with m.If(place == k - 1):
                    m.next = "NEIGHBOURS"
            with m.State("NEIGHBOURS"):
                u = Signal(8)
                m.d.comb += [busy.eq(1), u.eq((ones << k) | low)]
                m.d.sync += [
                    error.eq(Mux(u[0], ~(u >> 1), u >> 1)),
                    least.eq(Mux(w < n, w, n)),
                    most.eq(Mux(w < n, n, w)),
                    slope.eq(w + n - nw),
                    foretold.eq(nw),
                ]
                m.next = "FORETELL"
            with m.State("FORETELL"):
                m.d.comb += busy.eq(1)
                with m.If(foretold >= most):
                    m.d.sync += foretold.eq(least)
                with m.Elif(foretold <= least):
                    m.d.sync += foretold.eq(most)
                with m.Else():
                    m.d.sync += foretold.eq(slope)
                m.next = "PIXEL"
            with m.State("PIXEL"):
                pixel = Signal(8)
                m.d.comb += [busy.eq(1), pixel.eq(foretold + error)]
                m.d.sync += [
                    self.pixel.eq(pixel),
                    self.at.eq(here),
                    self.write.eq(1),
                    here.eq(here + 1),
                    first_column.eq(here[:6].all()),
                    history.eq(Cat(pixel, history)),
                    ones.eq(0),
                    low.eq(0),
                    place.eq(0),
                ]
                m.next = "ONES"
                with m.If(here[:6].all()):
                    m.d.sync += first_row.eq(0)
                    m.next = "K"
                    with m.If(here.all()):
                        m.d.sync += self.whole.eq(1)
        with m.If(self.valid):
            m.d.sync += [bits.eq(self.byte), left.eq(8)]
        with m.Elif(takes):
            m.d.sync += [bits.eq(bits >> 1), left.eq(left - 1)]
        return m
