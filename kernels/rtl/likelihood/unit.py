"""The likelihood unit: a pixel of a sample each cycle, two multipliers, a table of 256 powers.

A face takes 4,096 cycles a sample and, at its end, a few a sample more: the energies are kept until
the least of them is known, and then go through the same table.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal, signed
from amaranth.lib.memory import Memory

from sealshot.kernels.rtl.likelihood.reference import (
    ENERGY_BITS,
    FRACTION_BITS,
    LOG_BITS,
    MASS_BITS,
    MEAN_BITS,
    MOST_SAMPLES,
    POWER_BITS,
    POWERS,
    SHIFT,
    Z_BITS,
)
from sealshot.kernels.rtl.primitives import MULTIPLIER_LATENCY, Multiplier, delay

TABLE_LATENCY = 3
FIRST = TABLE_LATENCY + MULTIPLIER_LATENCY
"""Edges from a pixel to the product of its deviation."""
SCALED = FIRST + 4
"""Edges to its z."""
LATENCY = SCALED + MULTIPLIER_LATENCY + 2
"""Edges from a pixel to the energy with it in."""
POWER_CYCLES = 8
"""Of one energy at a face's end: nothing is pipelined there."""
ABOVE_BITS = ENERGY_BITS - 12
"""Of an energy above the least, in 1/256."""
WHOLE_BITS = LOG_BITS - FRACTION_BITS


class LikelihoodUnit(Elaboratable):
    """One face after the other.

    Attributes:
        x, mu, v, valid: a pixel, its mean and log2 of its variance; see :mod:`~.reference`.
        last: with the last pixel of a sample.
        last_sample: with all pixels of the last sample.
        ready: pixels are taken; from the last of a face until its result stands, they are not.
        least, mass, done: the result; ``done`` for one cycle.
    """

    def __init__(self) -> None:
        self.x = Signal(8)
        self.mu = Signal(signed(MEAN_BITS))
        self.v = Signal(signed(LOG_BITS))
        self.valid = Signal()
        self.last = Signal()
        self.last_sample = Signal()
        self.ready = Signal()
        self.least = Signal(signed(ENERGY_BITS))
        self.mass = Signal(MASS_BITS)
        self.done = Signal()

    def elaborate(self, platform: Any) -> Module:
        """Build it."""
        m = Module()
        m.submodules.powers = powers = Memory(
            shape=POWER_BITS,
            depth=256,
            init=[int(power) for power in POWERS],
            attrs={"rom_style": "logic"},  # block RAM without its register is slower
        )
        table = powers.read_port()
        power = Signal(POWER_BITS)
        address = Signal(FRACTION_BITS)
        m.d.sync += power.eq(table.data)

        summing = Signal()  # the powers of the energies, at a face's end
        below = Signal(FRACTION_BITS)
        minus_v = Signal(signed(LOG_BITS + 1))
        m.d.comb += [minus_v.eq(-self.v), table.addr.eq(address)]
        m.d.sync += address.eq(Mux(summing, below, minus_v[:FRACTION_BITS]))
        z = self._scaled(m, power, minus_v)

        m.submodules.square = square = Multiplier()
        m.d.comb += [square.a.eq(z), square.b.eq(z)]
        each = Signal(signed(Z_BITS * 2 + 1))
        valid = delay(m, "valid", self.valid & self.ready, LATENCY - 1)
        last = delay(m, "last", self.last, LATENCY - 1)
        ends = delay(m, "ends", self.last_sample, LATENCY - 1)
        v = delay(m, "v", self.v, LATENCY - 2)
        m.d.sync += each.eq(square.product + (v << 12))
        energy = Signal(signed(ENERGY_BITS))
        whole = Signal(signed(ENERGY_BITS))
        m.d.comb += whole.eq(energy + each)
        with m.If(valid):
            m.d.sync += energy.eq(Mux(last, 0, whole))
        self._mass(m, whole, valid & last, ends, power, below, summing)
        return m

    def _scaled(self, m: Module, power: Any, minus_v: Any) -> Any:
        """Return z of a pixel."""
        d = Signal(signed(MEAN_BITS + 2))
        m.submodules.deviation = deviation = Multiplier()
        m.d.sync += d.eq((self.x << 4) - self.mu)
        m.d.comb += [
            deviation.a.eq(delay(m, "d", d, TABLE_LATENCY - 1)),
            deviation.b.eq(power),
        ]
        # shifted by 3 to 34 bits, 8 at a time and then one by one; the last of it rounds
        by = Signal(range(SHIFT + 2 ** (WHOLE_BITS - 1) + 1))
        whole = minus_v[FRACTION_BITS:].as_signed()
        m.d.sync += by.eq(SHIFT - 1 - whole)
        by = delay(m, "by", by, FIRST - 1)
        coarse = Signal(signed(36))
        fine = Signal(signed(36))
        rounded = Signal(signed(36))
        z = Signal(signed(Z_BITS))
        m.d.sync += [
            coarse.eq(deviation.product >> Cat(0, 0, 0, by[3:])),
            fine.eq(coarse >> delay(m, "by_fine", by[:3], 1)),
            rounded.eq((fine + 1) >> 1),
        ]
        top = rounded[Z_BITS - 1 :]
        most = Mux(rounded[-1], -(2 ** (Z_BITS - 1)), 2 ** (Z_BITS - 1) - 1)
        fits = (top == 0) | top.all()
        m.d.sync += z.eq(Mux(fits, rounded[:Z_BITS].as_signed(), most))
        return z

    def _mass(
        self, m: Module, energy: Any, valid: Any, ends: Any, power: Any, below: Any, summing: Any
    ) -> None:
        """Keep the energies of a face, then add up 2**-(energy - least)."""
        m.submodules.kept = kept = Memory(shape=ENERGY_BITS, depth=MOST_SAMPLES, init=[])
        write, read = kept.write_port(), kept.read_port(domain="comb")
        count = Signal(range(MOST_SAMPLES + 1))
        at = Signal(range(MOST_SAMPLES))
        closed = Signal()
        wait = Signal(range(POWER_CYCLES))
        new = Signal(signed(ENERGY_BITS))
        arrived = Signal()
        above = Signal(ENERGY_BITS)
        m.d.comb += [
            write.addr.eq(count),
            write.data.eq(new),
            write.en.eq(arrived),
            read.addr.eq(at),
            self.ready.eq(~closed),
        ]
        m.d.sync += [arrived.eq(valid), new.eq(energy), self.done.eq(0)]
        with m.If(self.valid & self.ready & self.last & self.last_sample):
            m.d.sync += closed.eq(1)
        lower = Signal()
        m.d.sync += above.eq(read.data.as_signed() - self.least)
        with m.If(arrived):
            m.d.comb += lower.eq((count == 0) | (new < self.least))
            m.d.sync += count.eq(count + 1)
            with m.If(lower):
                m.d.sync += self.least.eq(new)
        # of 2**-(above / 256): the fraction of the exponent, and the shift that is left
        steps = above[ENERGY_BITS - ABOVE_BITS :]
        up = Signal(ABOVE_BITS + 1)
        large = Signal()
        shift = Signal(range(32))
        shifted = Signal(POWER_BITS)
        m.d.sync += [
            below.eq(-steps[:FRACTION_BITS]),
            up.eq(steps + 2**FRACTION_BITS - 1),
            large.eq(up[FRACTION_BITS + 5 :].any()),
            shift.eq(Mux(large, 31, up[FRACTION_BITS : FRACTION_BITS + 5])),
            shifted.eq(power >> shift),
        ]
        with m.FSM():
            with m.State("PIXELS"):
                m.d.sync += [at.eq(0), wait.eq(0), self.mass.eq(0)]
                with m.If(delay(m, "closes", valid & ends, 2)):
                    m.d.sync += summing.eq(1)
                    m.next = "POWERS"
            with m.State("POWERS"):
                m.d.sync += wait.eq(wait + 1)
                with m.If(wait == POWER_CYCLES - 1):
                    m.d.sync += [self.mass.eq(self.mass + shifted), wait.eq(0), at.eq(at + 1)]
                    with m.If(at == count - 1):
                        m.d.sync += [self.done.eq(1), summing.eq(0), count.eq(0), closed.eq(0)]
                        m.next = "PIXELS"
