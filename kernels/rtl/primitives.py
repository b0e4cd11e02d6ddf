"""Block RAM and multiplier with all their registers, as Amaranth for simulation and as ECP5 cells.

Yosys infers neither the output register of DP16KD nor the pipeline registers of MULT18X18D, and
without them neither reaches 100 MHz; so for an ECP5 both are named. The simulator sees the plain
form; `sealshot bench fpga --steps cells` sends both through the same traffic.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Elaboratable, Instance, Module, Signal, signed
from amaranth.lib.memory import Memory

RAM_LATENCY = 3
"""Edges from an address at the port to its data: a word crosses half the die, so that it gets a
register in the fabric behind the one of the RAM."""
MULTIPLIER_LATENCY = 3
PRODUCT_LATENCY = MULTIPLIER_LATENCY + 1
"""Edges from two factors to their product in the fabric, where a register takes it before it is
added: the multipliers lie in two rows, and half the slowest path was the wire from one."""
GEOMETRIES = {18: 1024, 9: 2048, 4: 4096}
"""Words of one DP16KD by the bits of a word."""


class Ecp5:
    """The platform that asks for ECP5 cells; any other gets plain Amaranth."""


class BlockRam(Elaboratable):
    """A memory with one port to write and one to read, of as many DP16KD side by side as it takes.

    Attributes:
        write_address, write_data, write: written at the next edge.
        read_address: of ``read_data`` :data:`RAM_LATENCY` edges later. A word that is written at
            the edge that reads it is not to be relied on.
    """

    def __init__(self, width: int, depth: int) -> None:
        self.width, self.depth = width, depth
        bits = (depth - 1).bit_length()
        self.write_address = Signal(bits)
        self.write_data = Signal(width)
        self.write = Signal()
        self.read_address = Signal(bits)
        self.read_data = Signal(width)

    def elaborate(self, platform: Any) -> Module:
        """Build one of the two forms."""
        m = Module()
        out = Signal(self.width)
        m.d.sync += self.read_data.eq(out)
        if isinstance(platform, Ecp5):
            cell = next(bits for bits, words in GEOMETRIES.items() if words >= self.depth)
            for low in range(0, self.width, cell):
                part = slice(low, low + cell)
                m.submodules[f"bits{low}"] = self._dp16kd(cell, part, out[part])
            return m
        m.submodules.memory = memory = Memory(shape=self.width, depth=self.depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            write.en.eq(self.write),
            read.addr.eq(self.read_address),
        ]
        m.d.sync += out.eq(read.data)
        return m

    def _dp16kd(self, cell: int, bits: slice, out: Any) -> Instance:
        """Return a cell that is written at port A and read at port B."""
        unused = (14 - (GEOMETRIES[cell] - 1).bit_length()) * [0]
        if cell == 18:
            unused[:2] = [1, 1]  # write both bytes
        address_a = Cat(Const(b, 1) for b in unused), self.write_address
        address_b = Cat(Const(b, 1) for b in unused), self.read_address
        data = self.write_data[bits]
        ports: dict[str, Any] = {
            **_spread("i_ADA", Cat(*address_a), 14),
            **_spread("i_ADB", Cat(*address_b), 14),
            **_spread("i_DIA", data, 18),
            **{f"o_DOB{i}": out[i] for i in range(len(out))},
        }
        for port, we in (("A", self.write), ("B", Const(0, 1))):
            ports |= {
                f"p_DATA_WIDTH_{port}": cell,
                f"p_REGMODE_{port}": "OUTREG",
                f"p_WRITEMODE_{port}": "NORMAL",
                f"p_CSDECODE_{port}": "0b000",
                f"p_CLK{port}MUX": f"CLK{port}",
                f"i_CLK{port}": ClockSignal(),
                f"i_CE{port}": Const(1, 1),
                f"i_OCE{port}": Const(1, 1),
                f"i_RST{port}": Const(0, 1),
                f"i_WE{port}": we,
                **{f"i_CS{port}{i}": Const(0, 1) for i in range(3)},
            }
        return Instance(
            "DP16KD", p_GSR="DISABLED", p_RESETMODE="SYNC", p_ASYNC_RESET_RELEASE="SYNC", **ports
        )


class Multiplier(Elaboratable):
    """``product`` = ``a`` * ``b`` of three edges ago, both signed.

    Factors of fewer than 18 bits lie at the top of the cell's ports: a port that is tied low takes
    no wire, where the copies of a sign would take one each.
    """

    def __init__(self, a_bits: int = 18, b_bits: int = 18) -> None:
        self.a = Signal(signed(a_bits))
        self.b = Signal(signed(b_bits))
        self.product = Signal(signed(a_bits + b_bits))

    def elaborate(self, platform: Any) -> Module:
        """Build one of the two forms."""
        m = Module()
        if not isinstance(platform, Ecp5):
            a, b, product = (Signal.like(x) for x in (self.a, self.b, self.product))
            m.d.sync += [a.eq(self.a), b.eq(self.b), product.eq(a * b), self.product.eq(product)]
            return m
        low_a, low_b = (Const(0, 18 - len(factor)) for factor in (self.a, self.b))
        low = 36 - len(self.product)
        ports: dict[str, Any] = {
            **_spread("i_A", Cat(low_a, self.a), 18),
            **_spread("i_B", Cat(low_b, self.b), 18),
            **{f"i_C{i}": Const(0, 1) for i in range(18)},
            **{f"o_P{low + i}": self.product[i] for i in range(len(self.product))},
            "i_CLK0": ClockSignal(),
            "i_CE0": Const(1, 1),
            "i_RST0": Const(0, 1),
        }
        for register in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT"):
            ports[f"p_REG_{register}_CLK"] = "CLK0"
        for side in "AB":
            ports |= {f"i_SIGNED{side}": Const(1, 1), f"i_SOURCE{side}": Const(0, 1)}
        # SOURCEB_MODE stays as it is: with SOURCEB low it takes the input, and ecppack ends in an
        # exception without a word where it is given a value that it does not know
        m.submodules.cell = Instance("MULT18X18D", p_GSR="DISABLED", p_RESETMODE="SYNC", **ports)
        return m


class Copy(Elaboratable):
    """A register of its own: synthesis merges equal registers, but not modules that are kept."""

    def __init__(self, width: int) -> None:
        self.i = Signal(width)
        self.o = Signal(width)

    def elaborate(self, platform: Any) -> Module:
        """Build the register."""
        m = Module()
        m.d.sync += self.o.eq(self.i)
        return m


def delay(m: Module, name: str, signal: Any, edges: int) -> Any:
    """Return a signal as it was some edges ago."""
    for i in range(edges):
        later = Signal(signal.shape(), name=f"{name}_{i + 1}")
        m.d.sync += later.eq(signal)
        signal = later
    return signal


def _spread(name: str, value: Any, count: int) -> dict[str, Any]:
    """Return the bits of a value as ports ``name0``, ``name1``, ...; what is missing is 0."""
    return {f"{name}{i}": value[i] if i < len(value) else Const(0, 1) for i in range(count)}
