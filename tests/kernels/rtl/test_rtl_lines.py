"""The UART, the SPI slave and the choice between them, bit by bit, in Amaranth's simulator."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from amaranth.sim import Simulator

from sealshot.kernels.rtl.lines import UART_BAUD, Lines, SpiSlave, Uart
from sealshot.kernels.rtl.protocol import END
from sealshot.kernels.rtl.ulx3s import CLOCK_MHZ
from sealshot.runtime.engines.bytepipe import SPI_HZ

DIVISOR = 7
BYTES = (0x00, 0xFF, 0x55, 0xA3, END, 0x01, 0x80)


def simulate(design: Any, *benches: Callable[[Any], Any], cycle_s: float = 1e-8) -> None:
    simulator = Simulator(design)
    simulator.add_clock(cycle_s)
    for bench in benches[:-1]:
        simulator.add_testbench(bench, background=True)
    simulator.add_testbench(benches[-1])
    simulator.run()


async def send(ctx: Any, line: Any, byte: int, cycles: float) -> None:
    """Put a byte on a UART's line, whose bits last so many cycles."""
    at = 0.0
    for bit in (0, *(byte >> i & 1 for i in range(8)), 1):
        ctx.set(line, bit)
        at += cycles
        await ctx.tick().repeat(round(at) - round(at - cycles))


@pytest.mark.parametrize("skew", [0.97, 1.0, 1.03])
def test_a_uart_takes_bytes_at_its_rate_and_somewhat_beside_it(skew: float) -> None:
    uart = Uart(50)
    came = []

    async def watch(ctx: Any) -> None:
        async for _, _, valid, data in ctx.tick().sample(uart.valid, uart.data):
            if valid:
                came.append(data)

    async def drive(ctx: Any) -> None:
        for byte in BYTES:
            await send(ctx, uart.rx, byte, 50 * skew)
        await ctx.tick().repeat(60)

    simulate(uart, watch, drive)
    assert tuple(came) == BYTES


def test_a_uart_sends_what_it_takes() -> None:
    uart = Uart(DIVISOR)
    came = []

    async def feed(ctx: Any) -> None:
        for byte in BYTES:
            ctx.set(uart.out, byte)
            ctx.set(uart.out_valid, 1)
            await ctx.tick().until(uart.out_ready)
        ctx.set(uart.out_valid, 0)

    async def look(ctx: Any) -> None:
        for _ in BYTES:
            while ctx.get(uart.tx):
                await ctx.tick()
            await ctx.tick().repeat(DIVISOR // 2)
            byte = 0
            for i in range(8):
                await ctx.tick().repeat(DIVISOR)
                byte |= ctx.get(uart.tx) << i
            await ctx.tick().repeat(DIVISOR)
            assert ctx.get(uart.tx) == 1, "a stop bit"
            came.append(byte)

    simulate(uart, feed, look)
    assert tuple(came) == BYTES


def test_a_glitch_is_no_byte() -> None:
    uart = Uart(50)

    async def drive(ctx: Any) -> None:
        ctx.set(uart.rx, 0)
        await ctx.tick().repeat(10)
        ctx.set(uart.rx, 1)
        for _ in range(600):
            await ctx.tick()
            assert not ctx.get(uart.valid)

    simulate(uart, drive)


async def transfer(ctx: Any, spi: SpiSlave, byte: int, half: int) -> int:
    """Clock a byte both ways as a master does that looks at a rising edge."""
    back = 0
    for i in range(8):
        ctx.set(spi.mosi, byte >> (7 - i) & 1)
        await ctx.tick().repeat(half)
        back = back << 1 | ctx.get(spi.miso)
        ctx.set(spi.sck, 1)
        await ctx.tick().repeat(half)
        ctx.set(spi.sck, 0)
    return back


@pytest.mark.parametrize("half", [3, 5])
def test_spi_carries_bytes_both_ways_and_end_where_there_is_nothing(half: int) -> None:
    spi = SpiSlave()
    came = []

    async def watch(ctx: Any) -> None:
        async for _, _, valid, data in ctx.tick().sample(spi.valid, spi.data):
            if valid:
                came.append(data)

    async def drive(ctx: Any) -> None:
        ctx.set(spi.cs_n, 0)
        await ctx.tick().repeat(4)
        answers = []
        for i, byte in enumerate(BYTES):
            ctx.set(spi.out, 0x5A + i)
            ctx.set(spi.out_valid, i % 2)
            answers.append(await transfer(ctx, spi, byte, half))
        assert answers == [END, END, 0x5B, END, 0x5D, END, 0x5F]
        await ctx.tick().repeat(4)

    simulate(spi, watch, drive)
    assert tuple(came) == BYTES


NS = 1e-9


@pytest.mark.parametrize("phase", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("high", [0.45, 0.55])
def test_spi_at_its_real_rate_bears_any_phase_a_lame_clock_and_jitter(
    phase: float, high: float
) -> None:
    spi = SpiSlave()
    draw = random.Random(int(100 * (phase + high)))
    cycle_s, bit_s = 1e-6 / CLOCK_MHZ, 1 / SPI_HZ
    sent = [draw.randrange(256) for _ in range(40)]
    came: list[int] = []
    back: list[int] = []

    async def watch(ctx: Any) -> None:
        async for _, _, valid, data in ctx.tick().sample(spi.valid, spi.data):
            if valid:
                came.append(data)

    async def feed(ctx: Any) -> None:
        for byte in sent:
            ctx.set(spi.out, byte ^ 0xFF)
            ctx.set(spi.out_valid, 1)
            await ctx.tick().until(spi.out_ready)

    async def master(ctx: Any) -> None:
        ctx.set(spi.cs_n, 0)
        await ctx.delay((8 + phase) * cycle_s)
        for byte in [*sent, END]:
            found = 0
            for i in range(7, -1, -1):
                ctx.set(spi.mosi, byte >> i & 1)
                await ctx.delay((1 - high) * bit_s + draw.uniform(-1, 1) * NS)
                found = found << 1 | ctx.get(spi.miso)
                ctx.set(spi.sck, 1)
                await ctx.delay(high * bit_s + draw.uniform(-1, 1) * NS)
                ctx.set(spi.sck, 0)
            back.append(found)
        await ctx.delay(10 * cycle_s)

    simulate(spi, watch, feed, master, cycle_s=cycle_s)
    assert came == [*sent, END]
    assert back == [END, *(byte ^ 0xFF for byte in sent)]


@pytest.mark.parametrize("baud", [0.97 * UART_BAUD, UART_BAUD, 1.03 * UART_BAUD])
def test_a_uart_at_its_real_rate_bears_jitter(baud: float) -> None:
    uart = Uart(round(1e6 * CLOCK_MHZ / UART_BAUD))
    draw = random.Random(int(baud))
    sent = [draw.randrange(256) for _ in range(20)]
    came: list[int] = []

    async def watch(ctx: Any) -> None:
        async for _, _, valid, data in ctx.tick().sample(uart.valid, uart.data):
            if valid:
                came.append(data)

    async def drive(ctx: Any) -> None:
        await ctx.delay(123.4 * NS)
        for byte in sent:
            for bit in (0, *(byte >> i & 1 for i in range(8)), 1):
                ctx.set(uart.rx, bit)
                await ctx.delay(1 / baud + draw.uniform(-5, 5) * NS)
        await ctx.delay(1e-6)

    simulate(uart, watch, drive, cycle_s=1e-6 / CLOCK_MHZ)
    assert came == sent


def test_answers_go_to_the_line_that_spoke_last() -> None:
    lines = Lines(DIVISOR)

    async def drive(ctx: Any) -> None:
        ctx.set(lines.ready, 1)
        ctx.set(lines.spi.cs_n, 0)
        ctx.set(lines.out, 0x33)
        ctx.set(lines.out_valid, 1)
        await ctx.tick().repeat(4)
        assert await transfer(ctx, lines.spi, 0x01, 4) == END
        assert await transfer(ctx, lines.spi, END, 4) == END
        assert await transfer(ctx, lines.spi, END, 4) == 0x33
        await send(ctx, lines.uart.rx, 0x02, DIVISOR)
        await ctx.tick().repeat(4)
        assert await transfer(ctx, lines.spi, END, 4) == 0x33  # was in the slave already
        assert await transfer(ctx, lines.spi, END, 4) == END

    simulate(lines, drive)
