"""Which word of the input meets which word of weights in each cycle: a table, a walker, a runner.

A *job* is one output pixel of one group of 32 channels. The taps of a kernel row that lie on the
picture, with all their channels, are one run of neighbouring words both of the input and of the
weights; so a job is up to three runs. The walker prepares the next job while the runner counts
through the one at hand. The first layer's jobs at the edge are shorter than their outputs take to
leave, so that the runner waits before each of those: all jobs end at least that far apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Signal, signed
from amaranth.lib import data

from sealshot.kernels.rtl.shape import LAYERS, LayerShape

PICTURE, LARGE, SMALL = 0, 1, 2
"""Where a layer reads: the picture, the 4,096 words or the 2,048 words of activations."""
ADDRESS_BITS = 12
POSITION_BITS = 14

JOB = data.StructLayout(
    {
        "start": ADDRESS_BITS,
        "weight": ADDRESS_BITS,
        "run": 7,
        "single": 1,
        "rows": 2,
        "wait": 2,
        "last_of_layer": 1,
    }
)
"""First word of the input and of the weights; words of a run less 1, and whether it is one word;
runs less 1; cycles to wait before the first."""
STEP = data.StructLayout(
    {"valid": 1, "first": 1, "last": 1, "address": ADDRESS_BITS, "weight": ADDRESS_BITS}
)
"""One cycle of the array: the words that meet, and whether they are a job's first or last."""


@dataclass(frozen=True)
class TableLine:
    """What the hardware knows of a layer: numbers that it only adds."""

    source: int
    words: int
    """Of one input pixel."""
    pitch: int
    """Words from one row of the input to the next."""
    row: int
    """Words of a whole kernel row."""
    rows_less_1: int
    step_x: int
    step_y: int
    origin_x: int
    """Words that the first kernel column lies left of the picture."""
    origin_y: int
    padded: int
    padded_far: int
    short: int
    """Whether jobs at the edge are shorter than their four words of output."""
    last_at: int
    """Index of the last output row and column."""
    last_group: int
    group_step: int
    """Words of weights of a group."""
    weight_base: int
    words_out_less_1: int
    parameter_base: int
    parameters_less_1: int


FIELDS = {
    "source": 2, "words": 6, "pitch": 8, "row": 7, "rows_less_1": 2, "step_x": 7, "step_y": 9,
    "origin_x": 6, "origin_y": 8, "padded": 1, "padded_far": 1, "short": 1, "last_at": 5,
    "last_group": 2, "group_step": 8, "weight_base": 12, "words_out_less_1": 3, "parameter_base": 8,
    "parameters_less_1": 5,
}  # fmt: skip
LINE = data.StructLayout(FIELDS)


def table() -> list[TableLine]:
    """Return the ten lines."""
    lines, weight_base, parameter_base = [], 0, 0
    for i, layer in enumerate(LAYERS):
        lines.append(_line(i, layer, weight_base, parameter_base))
        weight_base += layer.weight_words
        parameter_base += layer.groups * layer.words_out
    return lines


def _line(index: int, layer: LayerShape, weight_base: int, parameter_base: int) -> TableLine:
    words, pitch = layer.words_in, layer.size_in * layer.words_in
    return TableLine(
        source=PICTURE if index == 0 else LARGE if index % 2 else SMALL,
        words=words,
        pitch=pitch,
        row=layer.kernel * words,
        rows_less_1=layer.kernel - 1,
        step_x=layer.stride * words,
        step_y=layer.stride * pitch,
        origin_x=layer.padding * words,
        origin_y=layer.padding * pitch,
        padded=layer.padding,
        padded_far=layer.padding_far,
        short=layer.padding * (layer.kernel == 2),
        last_at=layer.size_out - 1,
        last_group=layer.groups - 1,
        group_step=layer.kernel**2 * words,
        weight_base=weight_base,
        words_out_less_1=layer.words_out - 1,
        parameter_base=parameter_base,
        parameters_less_1=layer.groups * layer.words_out - 1,
    )


class Walker(Elaboratable):
    """Prepares the jobs of one layer, in the order of the output's memory.

    Attributes:
        line: the layer; stable from ``start`` on.
        start: begin with the first job.
        job, ready: the next job, once it is prepared.
        take: it is taken; the one after it is prepared, in three cycles.
    """

    def __init__(self) -> None:
        self.line = Signal(LINE)
        self.job = Signal(JOB)
        self.start = Signal()
        self.ready = Signal()
        self.take = Signal()

    def elaborate(self, platform: Any) -> Module:
        """Build the counters."""
        m = Module()
        line, job = self.line, self.job
        x = Signal(5)
        y = Signal(5)
        group = Signal(2)
        at_x = Signal(signed(POSITION_BITS))
        at_y = Signal(signed(POSITION_BITS))
        at_group = Signal(ADDRESS_BITS)
        left, right, top, bottom = (Signal(name=n) for n in ("left", "right", "top", "bottom"))
        from_x = Signal(signed(POSITION_BITS))
        from_y = Signal(signed(POSITION_BITS))
        weight_y = Signal(ADDRESS_BITS)
        skip_left = Signal(6)
        skipped = Signal(7)
        ends_x, ends_y, ends_group = (Signal(name=n) for n in ("ends_x", "ends_y", "ends_group"))
        m.d.sync += [  # x, y and group stand still for three cycles and more
            ends_x.eq(x == line.last_at),
            ends_y.eq(y == line.last_at),
            ends_group.eq(group == line.last_group),
        ]
        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [
                    x.eq(0), y.eq(0), group.eq(0),
                    at_x.eq(-line.origin_x), at_y.eq(-line.origin_y),
                    at_group.eq(line.weight_base),
                ]  # fmt: skip
                m.next = "EDGES"
            with m.State("EDGES"):
                m.d.sync += [
                    left.eq(line.padded & (x == 0)),
                    top.eq(line.padded & (y == 0)),
                    right.eq(line.padded_far & (x == line.last_at)),
                    bottom.eq(line.padded_far & (y == line.last_at)),
                ]
                m.next = "POSITIONS"
            with m.State("POSITIONS"):
                m.d.sync += [
                    from_x.eq(at_x + Mux(left, line.words, 0)),
                    from_y.eq(at_y + Mux(top, line.pitch, 0)),
                    weight_y.eq(at_group + Mux(top, line.row, 0)),
                    skip_left.eq(Mux(left, line.words, 0)),
                    skipped.eq(Mux(left, line.words, 0) + Mux(right, line.words, 0)),
                    job.rows.eq(line.rows_less_1 - top - bottom),
                    job.wait.eq(Mux(line.short, Cat(left & top, left | top), 0)),
                ]
                m.next = "SUMS"
            with m.State("SUMS"):
                m.d.sync += [
                    job.start.eq(from_x + from_y),
                    job.weight.eq(weight_y + skip_left),
                    job.run.eq(line.row - skipped - 1),
                    job.single.eq(line.row - skipped == 1),
                    job.last_of_layer.eq(ends_x & ends_y & ends_group),
                    self.ready.eq(1),
                    group.eq(group + 1),
                    at_group.eq(at_group + line.group_step),
                ]
                m.next = "READY"
                with m.If(ends_group):
                    m.d.sync += [group.eq(0), at_group.eq(line.weight_base)]
                    m.d.sync += [x.eq(x + 1), at_x.eq(at_x + line.step_x)]
                    with m.If(ends_x):
                        m.d.sync += [x.eq(0), at_x.eq(-line.origin_x)]
                        m.d.sync += [y.eq(y + 1), at_y.eq(at_y + line.step_y)]
            with m.State("READY"), m.If(self.take):
                m.d.sync += self.ready.eq(0)
                m.next = "EDGES"
                with m.If(job.last_of_layer):
                    m.next = "IDLE"
        return m


class Runner(Elaboratable):
    """Counts through the words of one job after the other.

    Attributes:
        line: the layer.
        job, ready, take: from and to the walker.
        step: what the array does in this cycle.
        layer_done: the last step of the layer is in ``step``.
    """

    def __init__(self) -> None:
        self.line = Signal(LINE)
        self.job = Signal(JOB)
        self.step = Signal(STEP)
        self.ready = Signal()
        self.take = Signal()
        self.layer_done = Signal()

    def elaborate(self, platform: Any) -> Module:
        """Build the counters."""
        m = Module()
        line, job = self.line, self.job
        busy = Signal()
        first = Signal()
        closing = Signal()
        address, weight, row_address, row_weight = (
            Signal(ADDRESS_BITS, name=n) for n in ("address", "weight", "row_address", "row_weight")
        )
        run = Signal(7)
        single = Signal()
        left = Signal(7)
        rows = Signal(2)
        wait = Signal(2)
        # left == 0, rows == 0, busy and wait == 0, each known an edge before it is needed
        at_end, at_last_row, goes = Signal(), Signal(), Signal()
        ends_run = Signal()
        ends = Signal()
        m.d.comb += [
            ends_run.eq(goes & at_end),
            ends.eq(ends_run & at_last_row),
            self.take.eq(self.ready & (ends | ~busy)),
        ]
        m.d.sync += [
            self.step.valid.eq(goes),
            self.step.first.eq(goes & first),
            self.step.last.eq(ends),
            self.step.address.eq(address),
            self.step.weight.eq(weight),
            self.layer_done.eq(ends & closing),
        ]
        with m.If(goes):
            m.d.sync += first.eq(0)
        with m.If(self.take):
            m.d.sync += [
                busy.eq(1), first.eq(1), closing.eq(job.last_of_layer),
                address.eq(job.start), row_address.eq(job.start + line.pitch),
                weight.eq(job.weight), row_weight.eq(job.weight + line.row),
                run.eq(job.run), left.eq(job.run), rows.eq(job.rows),
                single.eq(job.single), at_end.eq(job.single), at_last_row.eq(job.rows == 0),
                wait.eq(job.wait), goes.eq(job.wait == 0),
            ]  # fmt: skip
        with m.Elif(ends):
            m.d.sync += [busy.eq(0), goes.eq(0)]
        with m.Elif(ends_run):
            m.d.sync += [
                address.eq(row_address), row_address.eq(row_address + line.pitch),
                weight.eq(row_weight), row_weight.eq(row_weight + line.row),
                left.eq(run), at_end.eq(single), rows.eq(rows - 1), at_last_row.eq(rows == 1),
            ]  # fmt: skip
        with m.Elif(busy & ~goes):
            m.d.sync += [wait.eq(wait - 1), goes.eq(wait == 1)]
        with m.Else():
            m.d.sync += [address.eq(address + 1), weight.eq(weight + 1)]
            m.d.sync += [left.eq(left - 1), at_end.eq(left == 1)]
        return m
