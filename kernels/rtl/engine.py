"""The whole scorer: memories, array, requantiser, and the controller that takes a face through.

Cycles are counted from the one in which the runner's ``step`` stands: the input memories are
addressed in 1, give their word in 4, and the array sees it in 5; weights are addressed in 3, come
in 6 and meet the input in 7, behind the array's own two copies of it.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Const, Elaboratable, Module, Mux, Signal, signed

from sealshot.kernels.rtl.array import (
    ARRAY_LATENCY,
    LANE_WEIGHT_BITS,
    WORD_BITS,
    ComputeArray,
)
from sealshot.kernels.rtl.primitives import RAM_LATENCY, BlockRam, Copy, delay
from sealshot.kernels.rtl.reference import SUM_BITS
from sealshot.kernels.rtl.requantise import LEAD, PARAMETER_BITS, Requantiser
from sealshot.kernels.rtl.sequencer import (
    ADDRESS_BITS,
    FIELDS,
    LARGE,
    LINE,
    PICTURE,
    Runner,
    Walker,
    table,
)
from sealshot.kernels.rtl.shape import CROP_PX, INPUTS, LAYERS, OUTPUTS

WEIGHT_WORD_BITS = OUTPUTS * LANE_WEIGHT_BITS
BANK_WORDS, BANKS = 1024, 3
RAMS_PER_COPY = 19
PIXELS = CROP_PX * CROP_PX
ALL_LAYERS = len(LAYERS) - 1
INPUT_DELAY = 2 + RAM_LATENCY
"""Edges from a step to its word at the array."""


class WeightStore(Elaboratable):
    """2,760 words of 1,024 bits in three banks of 57 DP16KD.

    Attributes:
        address: of the word to read, or to write where ``write`` is set; :data:`LATENCY` edges
            later it stands in ``word``.
        data: to be written; to be held for three edges after ``write``.
    """

    LATENCY = 3 + RAM_LATENCY

    def __init__(self) -> None:
        self.address = Signal(ADDRESS_BITS)
        self.write = Signal()
        self.data = Signal(WEIGHT_WORD_BITS)
        self.word = Signal(WEIGHT_WORD_BITS)

    def elaborate(self, platform: Any) -> Module:
        """Build banks, address copies and the choice of the bank."""
        m = Module()
        bank = self.address[10:]
        bits = 18 * RAMS_PER_COPY
        words: list[list[Any]] = [[] for _ in range(BANKS)]
        for low in range(0, WEIGHT_WORD_BITS, bits):
            part = self.data[low : low + bits]
            m.submodules[f"copy_address_{low}"] = way = Copy(1 + ADDRESS_BITS)
            m.d.comb += way.i.eq(Cat(self.address, self.write))
            row, to_bank, write = way.o[:10], way.o[10:-1], way.o[-1]
            for b in range(BANKS):
                m.submodules[f"ram_{b}_{low}"] = ram = BlockRam(len(part), BANK_WORDS)
                m.submodules[f"copy_address_{b}_{low}"] = copy = Copy(11)
                m.d.comb += [
                    copy.i.eq(Cat(row, write & (to_bank == b))),
                    ram.read_address.eq(copy.o[:10]),
                    ram.write_address.eq(copy.o[:10]),
                    ram.write.eq(copy.o[10]),
                    ram.write_data.eq(part),
                ]
                words[b].append(ram.read_data)
        bank_0, bank_1, bank_2 = (Cat(parts) for parts in words)
        bank = delay(m, "bank", bank, 1 + RAM_LATENCY)
        for low in range(0, WEIGHT_WORD_BITS, 128):
            m.submodules[f"copy_bank_{low}"] = copy = Copy(2)
            m.d.comb += copy.i.eq(bank)
            part = slice(low, low + 128)
            m.d.sync += self.word[part].eq(
                Mux(copy.o[1], bank_2[part], Mux(copy.o[0], bank_1[part], bank_0[part]))
            )
        return m


class InputStore(Elaboratable):
    """Two pictures and the activations of two layers.

    Attributes:
        source, address, parity: the word to read, in ``word`` :data:`INPUT_DELAY` edges later;
            parity chooses the picture.
        write, to_large, write_address, write_word: of activations.
        pixel_write, pixel_parity, pixel_at, pixel: of a picture, pixels counted row by row.
    """

    def __init__(self) -> None:
        self.source = Signal(2)
        self.address = Signal(ADDRESS_BITS)
        self.parity = Signal()
        self.word = Signal(WORD_BITS)
        self.write = Signal()
        self.to_large = Signal()
        self.write_address = Signal(ADDRESS_BITS)
        self.write_word = Signal(WORD_BITS)
        self.pixel_write = Signal()
        self.pixel_parity = Signal()
        self.pixel_at = Signal(range(PIXELS))
        self.pixel = Signal(8)

    def elaborate(self, platform: Any) -> Module:
        """Build the memories and the choice among them."""
        m = Module()
        m.submodules.large = large = BlockRam(WORD_BITS, 4096)
        m.submodules.small = small = BlockRam(WORD_BITS, 2048)
        for name, ram, chosen in (("large", large, 1), ("small", small, 0)):
            m.submodules[f"copy_read_{name}"] = read = Copy(ADDRESS_BITS)
            m.submodules[f"copy_write_{name}"] = write = Copy(1 + ADDRESS_BITS + WORD_BITS)
            on = self.write & (self.to_large == chosen)
            m.d.comb += [
                read.i.eq(self.address),
                ram.read_address.eq(read.o),
                write.i.eq(Cat(on, self.write_word, self.write_address)),
                Cat(ram.write, ram.write_data, ram.write_address).eq(
                    write.o[: 1 + WORD_BITS + len(ram.write_address)]
                ),
            ]
        m.submodules.copy_read_picture = read = Copy(11)
        m.d.comb += read.i.eq(Cat(self.address[:10], self.parity))
        column, row = self.pixel_at[:6], self.pixel_at[6:]
        pixels = []
        for lane in range(INPUTS):
            m.submodules[f"pixels_{lane}"] = ram = BlockRam(8, 2048)
            mine = Cat(column[0], row[0]) == lane
            m.d.sync += [
                ram.write.eq(self.pixel_write & mine),
                ram.write_address.eq(Cat(column[1:], row[1:], self.pixel_parity)),
                ram.write_data.eq(self.pixel),
            ]
            m.d.comb += ram.read_address.eq(read.o)
            pixels += [ram.read_data, Const(0, 1)]
        source = delay(m, "source", self.source, 1 + RAM_LATENCY)
        with m.Switch(source):
            with m.Case(PICTURE):
                m.d.sync += self.word.eq(Cat(pixels))
            with m.Case(LARGE):
                m.d.sync += self.word.eq(large.read_data)
            with m.Default():
                m.d.sync += self.word.eq(small.read_data)
        return m


class ScoreEngine(Elaboratable):
    """Scores faces from two picture buffers in turn.

    Attributes:
        weight_address, weight_write, weight_data: of the :class:`WeightStore`, while idle.
        parameter_write_address, parameter_write, parameter_data: of the channels' parameters; the
            data an edge later.
        pixel_write, pixel_at, pixel: of the picture that is not being scored.
        picture: a pulse: that picture is whole. Not to be given while ``full``.
        full: one picture is being scored and another waits.
        idle: no picture is here.
        stop_after: the layer after which a face stops, for a look at its output.
        repeat: how many times more a face is scored: for a meter that is to see the engine alone.
        score, score_valid, score_taken: the last layer's sum, or that of whatever layer came last.
        cycles: of the last face.
        debug_source, debug_address, debug_word: memory of a stopped face; see
            :data:`~.intake.SETTLE`.
    """

    def __init__(self) -> None:
        self.weight_address = Signal(ADDRESS_BITS)
        self.weight_write = Signal()
        self.weight_data = Signal(WEIGHT_WORD_BITS)
        self.parameter_write_address = Signal(8)
        self.parameter_write = Signal()
        self.parameter_data = Signal(PARAMETER_BITS)
        self.pixel_write = Signal()
        self.pixel_at = Signal(range(PIXELS))
        self.pixel = Signal(8)
        self.picture = Signal()
        self.full = Signal()
        self.idle = Signal(init=1)
        self.stop_after = Signal(4, init=ALL_LAYERS)
        self.repeat = Signal(24)
        self.score = Signal(signed(SUM_BITS))
        self.score_valid = Signal()
        self.score_taken = Signal()
        self.cycles = Signal(24)
        self.debug_source = Signal(2)
        self.debug_address = Signal(ADDRESS_BITS)
        self.debug_word = Signal(WORD_BITS)

    def elaborate(self, platform: Any) -> Module:
        """Connect the parts."""
        m = Module()
        m.submodules.walker = walker = Walker()
        m.submodules.runner = runner = Runner()
        m.submodules.weights = weights = WeightStore()
        m.submodules.inputs = inputs = InputStore()
        m.submodules.array = array = ComputeArray()
        m.submodules.requantiser = requantiser = Requantiser()
        m.submodules.parameters = parameters = BlockRam(PARAMETER_BITS, 256)

        lines = Array(Const(_packed(line), LINE.size) for line in table())
        line = Signal(LINE)
        layer = Signal(range(len(LAYERS)))
        start = Signal()
        working = Signal()
        reading = Signal()
        step = runner.step
        m.d.comb += [
            walker.line.eq(line),
            runner.line.eq(line),
            requantiser.line.eq(line),
            walker.start.eq(start),
            requantiser.start.eq(start),
            runner.job.eq(walker.job),
            runner.ready.eq(walker.ready),
            walker.take.eq(runner.take),
            # the array
            inputs.source.eq(Mux(working, line.source, self.debug_source)),
            inputs.address.eq(Mux(working, step.address, self.debug_address)),
            inputs.parity.eq(reading),
            array.inputs.eq(inputs.word),
            array.first.eq(delay(m, "first", step.first, INPUT_DELAY)),
            array.last.eq(delay(m, "last", step.last, INPUT_DELAY)),
            array.weights.eq(weights.word),
            self.debug_word.eq(inputs.word),
            # the requantiser
            requantiser.begin.eq(delay(m, "begin", step.last, INPUT_DELAY + ARRAY_LATENCY - LEAD)),
            requantiser.sums.eq(array.sums),
            requantiser.parameters.eq(parameters.read_data),
            parameters.read_address.eq(requantiser.parameter_address),
            inputs.write.eq(requantiser.write),
            inputs.to_large.eq(line.source != LARGE),
            inputs.write_address.eq(requantiser.address),
            inputs.write_word.eq(requantiser.word),
            # what is loaded
            weights.data.eq(self.weight_data),
            parameters.write_address.eq(delay(m, "write_at", self.parameter_write_address, 1)),
            parameters.write.eq(delay(m, "write", self.parameter_write, 1)),
            parameters.write_data.eq(self.parameter_data),
            inputs.pixel_write.eq(self.pixel_write),
            inputs.pixel_at.eq(self.pixel_at),
            inputs.pixel.eq(self.pixel),
        ]
        m.d.sync += [
            weights.address.eq(Mux(self.weight_write, self.weight_address, step.weight)),
            weights.write.eq(self.weight_write),
        ]
        self._control(m, lines, line, layer, start, working, reading, runner, requantiser)
        m.d.comb += inputs.pixel_parity.eq(self._filling)
        return m

    def _control(
        self,
        m: Module,
        lines: Any,
        line: Any,
        layer: Any,
        start: Any,
        working: Any,
        reading: Any,
        runner: Runner,
        requantiser: Requantiser,
    ) -> None:
        """Take each picture through the layers of the table."""
        under_way = Signal(4)
        issued = Signal()
        again = Signal(24)
        waiting = Signal(2)
        filling = Signal()
        cycles = Signal(24)
        self._filling = filling
        with m.If(runner.step.last & ~requantiser.job_done):
            m.d.sync += under_way.eq(under_way + 1)
        with m.Elif(~runner.step.last & requantiser.job_done):
            m.d.sync += under_way.eq(under_way - 1)
        with m.If(requantiser.total_valid):
            m.d.sync += self.score.eq(requantiser.total)
        with m.If(self.score_taken):
            m.d.sync += self.score_valid.eq(0)
        finished = Signal()
        with m.If(self.picture):
            m.d.sync += filling.eq(~filling)
        m.d.sync += waiting.eq(waiting + self.picture - finished)
        m.d.comb += [self.full.eq(waiting[1]), self.idle.eq(waiting == 0)]
        m.d.sync += cycles.eq(cycles + 1)
        with m.FSM():
            with m.State("WAIT"), m.If(~self.idle & ~self.score_valid):
                m.d.sync += [layer.eq(0), again.eq(self.repeat), cycles.eq(1), working.eq(1)]
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.sync += [line.eq(lines[layer]), issued.eq(0)]
                m.next = "START"
            with m.State("START"):
                m.d.comb += start.eq(1)
                m.next = "LAYER"
            with m.State("LAYER"):
                with m.If(runner.layer_done):
                    m.d.sync += issued.eq(1)
                with m.If(issued & (under_way == 0)):
                    m.next = "NEXT"
            with m.State("NEXT"):
                m.d.sync += layer.eq(layer + 1)
                m.next = "FETCH"
                with m.If(layer == self.stop_after):
                    m.d.sync += [layer.eq(0), again.eq(again - 1), self.cycles.eq(cycles)]
                    m.d.sync += cycles.eq(1)
                    with m.If(again == 0):
                        m.d.comb += finished.eq(1)
                        m.d.sync += [self.score_valid.eq(1), working.eq(0), reading.eq(~reading)]
                        m.next = "WAIT"


def _packed(line: Any) -> int:
    """Return a line of the table as the bits of :data:`~.sequencer.LINE`."""
    value = at = 0
    for name, bits in FIELDS.items():
        field = getattr(line, name)
        assert 0 <= field < 2**bits, (name, field)
        value |= field << at
        at += bits
    return value
