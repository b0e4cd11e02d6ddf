"""The bytes of a frame, to where its command says: pixels, packed pixels, weights, parameters."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Elaboratable, Module, ResetInserter, Signal

from sealshot.kernels.rtl.primitives import Copy
from sealshot.kernels.rtl.protocol import Command
from sealshot.kernels.rtl.unpacker import PIXELS, Unpacker

WORD_BYTES, PARAMETER_BYTES, ARGUMENT_BYTES, CRC_BYTES = 128, 22, 5, 4
SETTLE = 8
"""Cycles that a word of weights needs to be written, or one of memory to be read."""
SHIFTED_BYTES = 16
"""Of a word of weights, by one copy of the signal that moves it on."""


class Intake(Elaboratable):
    """Takes one frame after the other.

    Attributes:
        byte, valid: of a frame, with its CRC; asked for only while ``ready``.
        asked: the line gives a byte now: what it is stands in the next cycle.
        end: the frame is over.
        full: the engine has no room for a picture.
        command, tag, argument: of the frame; the first five bytes after the tag.
        room: whether there was room for a picture when the frame began.
        whole: a picture, packed or not, has come with all its pixels.
        index: of the word that is written next.
        weight, weight_write, parameter, parameter_write: words for the engine, and pulses that come
            before them: two edges before the one, an edge before the other.
        pixel, pixel_at, pixel_write: of a picture.
    """

    def __init__(self) -> None:
        self.byte = Signal(8)
        self.valid = Signal()
        self.ready = Signal()
        self.asked = Signal()
        self.end = Signal()
        self.full = Signal()
        self.command = Signal(8)
        self.tag = Signal(8)
        self.argument = Signal(8 * ARGUMENT_BYTES)
        self.room = Signal()
        self.whole = Signal()
        self.index = Signal(16)
        self.weight = Signal(8 * WORD_BYTES)
        self.weight_write = Signal()
        self.parameter = Signal(8 * PARAMETER_BYTES)
        self.parameter_write = Signal()
        self.pixel = Signal(8)
        self.pixel_at = Signal(range(PIXELS))
        self.pixel_write = Signal()

    def elaborate(self, platform: Any) -> Module:
        """Build it."""
        m = Module()
        head = Signal(2)  # bytes of command and tag that have come
        count = Signal(range(PIXELS + CRC_BYTES + 2))  # of the payload and the CRC
        in_word = Signal(range(WORD_BYTES))
        settle = Signal(range(SETTLE + 1))
        # what the next byte is, known before it comes: two bytes are three cycles apart
        is_argument = Signal(ARGUMENT_BYTES)
        is_index, is_pixel, is_packed, is_weight, is_parameter = (
            Signal(name=name)
            for name in ("is_index", "is_pixel", "is_packed", "is_weight", "is_parameter")
        )
        first = Signal()
        m.submodules.unpacker = unpacker = ResetInserter(first)(Unpacker())
        takes = Signal()
        loads = (self.command == Command.WEIGHTS) | (self.command == Command.PARAMETERS)
        on = head == 2
        m.d.comb += [
            takes.eq(self.valid & on),
            unpacker.byte.eq(self.byte),
            unpacker.valid.eq(self.valid & is_packed),
        ]
        m.d.sync += [
            self.ready.eq((settle == 0) & ~self.asked & ~self.valid & ~self.end & unpacker.ready),
            *(is_argument[i].eq(on & (count == i)) for i in range(ARGUMENT_BYTES)),
            is_index.eq(on & loads & (count < 2)),
            is_weight.eq(on & (self.command == Command.WEIGHTS) & (count >= 2)),
            is_parameter.eq(on & (self.command == Command.PARAMETERS) & (count >= 2)),
            is_pixel.eq(on & (self.command == Command.PICTURE) & (count < PIXELS)),
            is_packed.eq(on & (self.command == Command.PACKED)),
            first.eq(0),
        ]
        with m.If(self.end):
            m.d.sync += [head.eq(0), count.eq(0), in_word.eq(0)]
        with m.Elif(self.valid & ~on):
            m.d.sync += head.eq(head + 1)
            with m.If(head == 0):
                m.d.sync += self.command.eq(self.byte)
            with m.Else():
                m.d.sync += [self.tag.eq(self.byte), self.room.eq(~self.full), first.eq(1)]
        with m.If(takes & (count != PIXELS + CRC_BYTES + 1)):
            m.d.sync += count.eq(count + 1)
        for i in range(ARGUMENT_BYTES):
            with m.If(self.valid & is_argument[i]):
                m.d.sync += self.argument.word_select(i, 8).eq(self.byte)
        self._pixels(m, unpacker, is_pixel, is_packed, count)
        self._words(m, is_index, is_weight, is_parameter, in_word, settle)
        return m

    def _pixels(
        self, m: Module, unpacker: Any, is_pixel: Signal, is_packed: Signal, count: Signal
    ) -> None:
        """Write pixels as they come, or as they are unpacked."""
        wholes = Signal(CRC_BYTES)  # whether the picture was whole before each of the last bytes
        with m.If(self.valid):
            m.d.sync += wholes.eq(Cat(unpacker.whole, wholes[:-1]))
        with m.If(is_packed):
            m.d.sync += [
                self.pixel.eq(unpacker.pixel),
                self.pixel_at.eq(unpacker.at),
                self.pixel_write.eq(unpacker.write & self.room),
                self.whole.eq(wholes[-1]),
            ]
        with m.Else():
            m.d.sync += [
                self.pixel.eq(self.byte),
                self.pixel_at.eq(count),
                self.pixel_write.eq(self.valid & is_pixel & self.room),
                self.whole.eq(count == PIXELS + CRC_BYTES),
            ]

    def _words(
        self,
        m: Module,
        is_index: Signal,
        is_weight: Signal,
        is_parameter: Signal,
        in_word: Signal,
        settle: Signal,
    ) -> None:
        """Gather words of weights and parameters, and write each when it is whole."""
        m.d.sync += [self.weight_write.eq(0), self.parameter_write.eq(0)]
        with m.If(settle != 0):
            m.d.sync += settle.eq(settle - 1)
            with m.If(settle == 1):
                m.d.sync += self.index.eq(self.index + 1)
        with m.If(self.valid & is_index):
            m.d.sync += self.index.eq(Cat(self.index[8:], self.byte))
        with m.If(self.valid & (is_weight | is_parameter)):
            last = Signal()
            at_end = is_weight & (in_word == WORD_BYTES - 1)
            m.d.comb += last.eq(at_end | is_parameter & (in_word == PARAMETER_BYTES - 1))
            m.d.sync += in_word.eq(in_word + 1)
            with m.If(last):
                m.d.sync += [in_word.eq(0), settle.eq(SETTLE)]
                m.d.sync += [self.weight_write.eq(is_weight), self.parameter_write.eq(is_parameter)]
        bits = 8 * SHIFTED_BYTES
        shift, byte = Signal(), Signal(8)  # a register before the copies, which lie apart
        m.d.sync += [shift.eq(self.valid & is_weight), byte.eq(self.byte)]
        shift_parameter = Signal()
        m.d.sync += shift_parameter.eq(self.valid & is_parameter)
        with m.If(shift_parameter):
            m.d.sync += self.parameter.eq(Cat(self.parameter[8:], byte))
        for low in range(0, 8 * WORD_BYTES, bits):
            m.submodules[f"copy_shift_{low}"] = copy = Copy(1)
            m.d.comb += copy.i.eq(shift)
            above = self.weight[low + bits : low + bits + 8]
            part = self.weight[low : low + bits]
            with m.If(copy.o):
                m.d.sync += part.eq(Cat(part[8:], above if len(above) else byte))
