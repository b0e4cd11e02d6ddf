"""The multipliers: 8 tiles of 4 lanes of 4, each lane one output channel of a job.

Every lane sees the same four inputs and four weights of its own. A tile keeps copies of what all
tiles see, taken from a copy for two of them, so that no wire has more than a few dozen ends, nor
crosses half the die. When a job ends, its 32 sums move to the
hold registers and from there through tile 0, four a cycle, to the requantiser.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal, signed

from sealshot.kernels.rtl.primitives import PRODUCT_LATENCY, Copy, Multiplier, delay
from sealshot.kernels.rtl.reference import ACTIVATION_BITS, SUM_BITS
from sealshot.kernels.rtl.shape import INPUTS, OUTPUTS

WEIGHT_BITS = 8
WORD_BITS = INPUTS * ACTIVATION_BITS
LANES = 4
TILES = OUTPUTS // LANES
LANE_WEIGHT_BITS = INPUTS * WEIGHT_BITS
HOLD_BITS = LANES * SUM_BITS
TILES_PER_COPY = 2
ARRAY_LATENCY = 2 + PRODUCT_LATENCY + 3 + 1
"""Edges from the inputs and the marks of a job's last word to its sums in the hold registers."""


class Tile(Elaboratable):
    """Four lanes.

    Attributes:
        inputs: inputs, first and last of :class:`ComputeArray`: what all tiles see.
        weights: of the four lanes, an edge after their inputs: they need no copies.
        above, hold: the hold registers of the tile whose sums leave after this one's, and its own.
    """

    def __init__(self) -> None:
        self.inputs = Signal(WORD_BITS + 2)
        self.weights = Signal(LANES * LANE_WEIGHT_BITS)
        self.hold = Signal(HOLD_BITS)
        self.above = Signal(HOLD_BITS)

    def elaborate(self, platform: Any) -> Module:
        """Build the lanes."""
        m = Module()
        m.submodules.copy_inputs = copy = Copy(WORD_BITS + 2)
        m.d.comb += copy.i.eq(self.inputs)
        inputs, first, last = copy.o[:WORD_BITS], copy.o[-2], copy.o[-1]
        first = delay(m, "first", first, PRODUCT_LATENCY + 1)
        last = delay(m, "last", last, PRODUCT_LATENCY + 2)
        for lane in range(LANES):
            m.submodules[f"copy_marks_{lane}"] = marks = Copy(2)
            m.d.comb += marks.i.eq(Cat(first, last))
            products = []
            for i in range(INPUTS):
                multiplier = Multiplier(ACTIVATION_BITS, WEIGHT_BITS)
                m.submodules[f"multiplier_{lane}_{i}"] = multiplier
                at = lane * LANE_WEIGHT_BITS + i * WEIGHT_BITS
                m.d.comb += [
                    multiplier.a.eq(inputs[i * ACTIVATION_BITS :][:ACTIVATION_BITS].as_signed()),
                    multiplier.b.eq(self.weights[at : at + WEIGHT_BITS].as_signed()),
                ]
                product = Signal(signed(ACTIVATION_BITS + WEIGHT_BITS), name=f"product_{lane}_{i}")
                m.d.sync += product.eq(multiplier.product)
                products.append(product)
            pairs = [Signal(signed(18), name=f"pair_{lane}_{i}") for i in range(2)]
            four = Signal(signed(19), name=f"four_{lane}")
            total = Signal(signed(SUM_BITS), name=f"total_{lane}")
            m.d.sync += [
                pairs[0].eq(products[0] + products[1]),
                pairs[1].eq(products[2] + products[3]),
                four.eq(pairs[0] + pairs[1]),
                total.eq(Mux(marks.o[0], 0, total) + four),
            ]
            held = slice(lane * SUM_BITS, (lane + 1) * SUM_BITS)
            m.d.sync += self.hold[held].eq(Mux(marks.o[1], total, self.above[held]))
        return m


class ComputeArray(Elaboratable):
    """All tiles.

    Attributes:
        inputs: four 9-bit activations.
        weights: 32 x 4 weights, those of lane 0 in the lowest bits; two edges after ``inputs``.
        first, last: the inputs are a job's first, its last. Between jobs ``last`` is 0 and what is
            summed does not matter.
        sums: after :data:`ARRAY_LATENCY` edges the sums of lanes 0 to 3, then of 4 to 7, ...
    """

    def __init__(self) -> None:
        self.inputs = Signal(WORD_BITS)
        self.weights = Signal(OUTPUTS * LANE_WEIGHT_BITS)
        self.first = Signal()
        self.last = Signal()
        self.sums = Signal(HOLD_BITS)

    def elaborate(self, platform: Any) -> Module:
        """Chain the tiles."""
        m = Module()
        tiles = [Tile() for _ in range(TILES)]
        bits = LANES * LANE_WEIGHT_BITS
        for i, tile in enumerate(tiles):
            m.submodules[f"tile_{i}"] = tile
            if i % TILES_PER_COPY == 0:
                m.submodules[f"copy_inputs_{i}"] = copy = Copy(WORD_BITS + 2)
                m.d.comb += copy.i.eq(Cat(self.inputs, self.first, self.last))
            m.d.comb += [
                tile.inputs.eq(copy.o),
                tile.weights.eq(self.weights[i * bits : (i + 1) * bits]),
            ]
            if i + 1 < TILES:
                m.d.comb += tile.above.eq(tiles[i + 1].hold)
        m.d.comb += self.sums.eq(tiles[0].hold)
        return m
