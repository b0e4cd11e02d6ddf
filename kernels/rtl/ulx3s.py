"""The whole FPGA of a ULX3S 85F: clock, pins, both lines, and the scorer behind them.

SPI is on the first pins of the header J1; the UART is the one that the board's USB socket shows.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Const, Elaboratable, Instance, Module, Signal

from sealshot.kernels.rtl.lines import UART_BAUD, Lines
from sealshot.kernels.rtl.link import Link
from sealshot.kernels.rtl.primitives import Ecp5

OSCILLATOR_MHZ = 25
DIVIDE_IN, MULTIPLY, DIVIDE_OUT = 2, 13, 4
"""Of the PLL: its comparator sees the oscillator divided by the first, its output is that times the
second, and its own oscillator runs at the output times the third."""
CLOCK_MHZ = OSCILLATOR_MHZ * MULTIPLY / DIVIDE_IN
PINS = {
    "clk_25mhz": "G2",
    "ftdi_rxd": "L4",
    "ftdi_txd": "M1",
    "spi_sck": "B11",
    "spi_cs_n": "C11",
    "spi_mosi": "A10",
    "spi_miso": "A11",
    "led": "B2",
    "wifi_gpio0": "L2",
}
"""``ftdi_txd`` is what the USB chip sends. SPI is gp[0], gn[0], gp[1] and gn[1] of the header."""
PULLED_UP = ("ftdi_txd", "spi_cs_n", "wifi_gpio0")


class Ulx3s(Elaboratable):
    """The top: its signals are the pins."""

    def __init__(self) -> None:
        self.clk_25mhz = Signal()
        self.ftdi_txd = Signal(init=1)
        self.ftdi_rxd = Signal(init=1)
        self.spi_sck = Signal()
        self.spi_cs_n = Signal(init=1)
        self.spi_mosi = Signal()
        self.spi_miso = Signal()
        self.led = Signal()
        """On while a face is scored."""
        self.wifi_gpio0 = Signal(init=1)
        """High keeps the board's other processor from taking over."""

    def elaborate(self, platform: Any) -> Module:
        """Connect pins, lines and scorer."""
        m = Module()
        m.domains.sync = ClockDomain("sync", reset_less=True)  # configuration is the reset
        if isinstance(platform, Ecp5):
            self._clock(m)
        else:
            m.d.comb += ClockSignal("sync").eq(self.clk_25mhz)
        m.submodules.lines = lines = Lines(round(1e6 * CLOCK_MHZ / UART_BAUD))
        m.submodules.link = link = Link()
        m.d.comb += [
            lines.uart.rx.eq(self.ftdi_txd),
            self.ftdi_rxd.eq(lines.uart.tx),
            lines.spi.sck.eq(self.spi_sck),
            lines.spi.cs_n.eq(self.spi_cs_n),
            lines.spi.mosi.eq(self.spi_mosi),
            self.spi_miso.eq(lines.spi.miso),
            link.data_in.eq(lines.data),
            link.valid_in.eq(lines.valid),
            lines.ready.eq(link.ready_in),
            lines.out.eq(link.data_out),
            lines.out_valid.eq(link.valid_out),
            link.ready_out.eq(lines.out_ready),
            self.led.eq(~link.idle),
            self.wifi_gpio0.eq(1),
        ]
        return m

    def _clock(self, m: Module) -> None:
        """Make the clock; it stands still until the PLL has locked."""
        fast, locked = Signal(), Signal()
        m.submodules.pll = Instance(
            "EHXPLLL",
            p_CLKI_DIV=DIVIDE_IN,
            p_CLKFB_DIV=MULTIPLY,
            p_CLKOP_DIV=DIVIDE_OUT,
            p_CLKOP_CPHASE=DIVIDE_OUT // 2,
            p_CLKOP_ENABLE="ENABLED",
            p_FEEDBK_PATH="CLKOP",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            a_ICP_CURRENT="12",  # of its filter, as ecppll chooses them
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            a_FREQUENCY_PIN_CLKI=str(OSCILLATOR_MHZ),
            a_FREQUENCY_PIN_CLKOP=str(CLOCK_MHZ),
            i_CLKI=self.clk_25mhz,
            i_CLKFB=fast,
            i_RST=Const(0, 1),
            i_STDBY=Const(0, 1),
            i_ENCLKOP=Const(0, 1),
            i_PHASESEL0=Const(0, 1),
            i_PHASESEL1=Const(0, 1),
            i_PHASEDIR=Const(1, 1),
            i_PHASESTEP=Const(1, 1),
            i_PHASELOADREG=Const(1, 1),
            i_PLLWAKESYNC=Const(0, 1),
            o_CLKOP=fast,
            o_LOCK=locked,
        )
        m.submodules.gate = Instance("DCCA", i_CLKI=fast, i_CE=locked, o_CLKO=ClockSignal("sync"))


def constraints() -> str:
    """Return the pins and the oscillator as a file of Lattice preferences (`.lpf`)."""
    lines = [f'FREQUENCY PORT "clk_25mhz" {OSCILLATOR_MHZ} MHZ;']
    for name, site in PINS.items():
        pull = "UP" if name in PULLED_UP else "NONE"
        lines.append(f'LOCATE COMP "{name}" SITE "{site}";')
        lines.append(f'IOBUF PORT "{name}" IO_TYPE=LVCMOS33 PULLMODE={pull};')
    return "\n".join(lines) + "\n"
