"""Block RAMs of each shape and two multipliers, fed with numbers of a shift register and summed up.

So the form that simulation sees and the cells of the ECP5 can be run through the same traffic, and
one word tells whether they ever differed.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Elaboratable, Module, Signal

from sealshot.kernels.rtl.primitives import BlockRam, Multiplier

SHAPES = ((36, 4096), (36, 2048), (8, 2048), (172, 256), (342, 1024))
"""Bits and words of the memories that the scorer has."""
NARROW = (9, 8)
"""Bits of the factors of the second multiplier: an activation and a weight."""
TAPS = (63, 62, 60, 59)
"""Of a shift register of 64 bits that goes through all states but 0."""
STEPS = 16
"""Bits that it moves on in a cycle."""


class CellProbe(Elaboratable):
    """The cells and what feeds them.

    Attributes:
        clk: its clock.
        signature: of all that came out of the cells so far.
    """

    def __init__(self) -> None:
        self.clk = Signal()
        self.signature = Signal(64)

    def elaborate(self, platform: Any) -> Module:
        """Build it."""
        m = Module()
        m.domains.sync = ClockDomain("sync", reset_less=True)
        m.d.comb += ClockSignal("sync").eq(self.clk)
        drawn = Signal(64, init=1)
        bits = [drawn[i] for i in range(64)]
        for _ in range(STEPS):
            into = bits[TAPS[0]]
            for tap in TAPS[1:]:
                into = into ^ bits[tap]
            bits = [into, *bits[:-1]]
        m.d.sync += drawn.eq(Cat(bits))
        turned = Cat(drawn[29:], drawn[:29])

        m.submodules.multiplier = multiplier = Multiplier()
        m.d.comb += [
            multiplier.a.eq(drawn[:18].as_signed()),
            multiplier.b.eq(turned[20:38].as_signed()),
        ]
        m.submodules.narrow = narrow = Multiplier(*NARROW)
        m.d.comb += [narrow.a.eq(drawn[40:].as_signed()), narrow.b.eq(turned[:8].as_signed())]
        given = [multiplier.product.as_unsigned(), narrow.product.as_unsigned()]
        for k, (width, depth) in enumerate(SHAPES):
            m.submodules[f"ram_{k}"] = ram = BlockRam(width, depth)
            held = Signal(width, name=f"held_{k}")  # wide words are filled bit by bit
            m.d.sync += held.eq(Cat(drawn[k : k + 8], held))
            m.d.comb += [
                ram.write_address.eq(drawn[5 + k :]),
                ram.write_data.eq(held),
                ram.write.eq(drawn[k]),
                ram.read_address.eq(turned[7 + k :]),
            ]
            given += [ram.read_data[low : low + 64] for low in range(0, width, 64)]
        mixed = Cat(self.signature[-1], self.signature[:-1])
        for word in given:
            mixed = mixed ^ word
        m.d.sync += self.signature.eq(mixed)
        return m
