"""From the sums of a job to activations in memory: four channels a cycle, in 11 stages.

The arithmetic is that at the top of :mod:`~.reference`. Jobs come in the order of the output's
memory, so that its addresses, and those of the channels' parameters, are counters.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal, signed
from amaranth.lib import data

from sealshot.kernels.rtl.array import LANES, WORD_BITS
from sealshot.kernels.rtl.primitives import PRODUCT_LATENCY, RAM_LATENCY, Multiplier, delay
from sealshot.kernels.rtl.reference import (
    ACTIVATION_BITS,
    DOWN,
    MULTIPLIER_BITS,
    SLOPES,
    STEP_BITS,
    SUM_BITS,
)
from sealshot.kernels.rtl.sequencer import ADDRESS_BITS, LINE

CHANNEL = data.StructLayout({"bias": signed(SUM_BITS), "multiplier": MULTIPLIER_BITS, "shift": 3})
"""What belongs to one output channel: 43 bits, four of them a word."""
PARAMETER_BITS = LANES * CHANNEL.size
REQUANTISE_LATENCY = 3 + PRODUCT_LATENCY + 4
"""Edges from sums to the word that is written."""
LEAD = RAM_LATENCY + 1
"""Edges that ``begin`` comes before the sums."""


class Requantiser(Elaboratable):
    """Four lanes and their counters.

    Attributes:
        line: the layer; ``start`` sets the counters to its first word.
        begin: the first sums of a job come in :data:`LEAD` edges.
        sums: four 24-bit sums; of a job the others follow, one word a cycle.
        parameter_address, parameters: to and from the memory of :data:`CHANNEL`.
        write, address, word: four activations, to be written.
        total, total_valid: the sum of lane 0 and its bias: the score, in the last layer.
        job_done: with the last word of a job.
    """

    def __init__(self) -> None:
        self.line = Signal(LINE)
        self.start = Signal()
        self.begin = Signal()
        self.sums = Signal(LANES * SUM_BITS)
        self.parameters = Signal(PARAMETER_BITS)
        self.parameter_address = Signal(8)
        self.write = Signal()
        self.address = Signal(ADDRESS_BITS)
        self.word = Signal(WORD_BITS)
        self.total = Signal(signed(SUM_BITS))
        self.total_valid = Signal()
        self.job_done = Signal()

    def elaborate(self, platform: Any) -> Module:
        """Build counters and lanes."""
        m = Module()
        active = Signal()
        left = Signal(3)
        channel_word = Signal(5)
        with m.If(self.begin):
            m.d.sync += [active.eq(1), left.eq(self.line.words_out_less_1)]
        with m.Elif(left == 0):
            m.d.sync += active.eq(0)
        with m.Else():
            m.d.sync += left.eq(left - 1)
        with m.If(active):
            m.d.sync += [
                channel_word.eq(channel_word + 1),
                self.parameter_address.eq(self.parameter_address + 1),
            ]
            with m.If(channel_word == self.line.parameters_less_1):
                m.d.sync += channel_word.eq(0)
                m.d.sync += self.parameter_address.eq(self.line.parameter_base)
        with m.If(self.write):
            m.d.sync += self.address.eq(self.address + 1)
        with m.If(self.start):
            m.d.sync += [channel_word.eq(0), self.address.eq(0)]
            m.d.sync += self.parameter_address.eq(self.line.parameter_base)

        words = []
        for i in range(LANES):
            lane = _Lane()
            m.submodules[f"lane_{i}"] = lane
            m.d.comb += [
                lane.sum.eq(self.sums[i * SUM_BITS : (i + 1) * SUM_BITS].as_signed()),
                lane.channel.eq(self.parameters[i * CHANNEL.size : (i + 1) * CHANNEL.size]),
            ]
            words.append(lane.activation)
            if i == 0:
                m.d.comb += self.total.eq(lane.total)
        with_sums = delay(m, "with_sums", active, RAM_LATENCY)
        last = delay(m, "last", active & (left == 0), RAM_LATENCY)
        m.d.comb += [
            self.word.eq(Cat(words)),
            self.total_valid.eq(delay(m, "total_valid", with_sums, 1)),
            self.write.eq(delay(m, "write", with_sums, REQUANTISE_LATENCY)),
            self.job_done.eq(delay(m, "job_done", last, REQUANTISE_LATENCY)),
        ]
        return m


class _Lane(Elaboratable):
    """One channel: bias, shift, clip, multiply, slope, round, clip; a register after each."""

    def __init__(self) -> None:
        self.sum = Signal(signed(SUM_BITS))
        self.channel = Signal(CHANNEL)
        self.total = Signal(signed(SUM_BITS))
        self.activation = Signal(signed(ACTIVATION_BITS))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.multiplier = multiplier = Multiplier()
        shifted = Signal(signed(SUM_BITS))
        t = Signal(signed(STEP_BITS))
        m.d.sync += [
            self.total.eq(self.sum + self.channel.bias),
            shifted.eq(self.total >> delay(m, "shift", self.channel.shift, 1)),
            t.eq(_clip(shifted, STEP_BITS)),
        ]
        m.d.comb += [
            multiplier.a.eq(t),
            multiplier.b.eq(delay(m, "multiplier", self.channel.multiplier, 3)),
        ]
        product = delay(m, "product", multiplier.product, 1)
        five = Signal(signed(40))
        same = Signal(signed(36))
        thirteen = Signal(signed(40))
        straight = Signal(signed(43))
        sloped = Signal(signed(43))
        rounded = Signal(signed(43 - DOWN + 1))
        assert SLOPES == (128, 5 + 8)
        m.d.comb += sloped.eq(Mux(straight < 0, thirteen, straight))
        m.d.sync += [
            five.eq(product + (product << 2)),
            same.eq(product),
            thirteen.eq(five + (same << 3)),
            straight.eq(same << 7),
            rounded.eq((sloped[DOWN - 1 :].as_signed() + 1) >> 1),
            self.activation.eq(_clip(rounded, ACTIVATION_BITS)),
        ]
        return m


def _clip(value: Any, bits: int) -> Any:
    """Return a signed value in fewer bits, the nearest that they can hold."""
    top = value[bits - 1 :]
    fits = (top == 0) | top.all()
    most = Mux(value[-1], -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return Mux(fits, value[:bits].as_signed(), most)
