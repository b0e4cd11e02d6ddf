"""From RTL to a bitstream for an ECP5-85F, step by step: synthesis, place and route, packing.

Between the first two the whole top's netlist gets the sites of :mod:`~.floorplan`.

Yosys and nextpnr are deterministic: the same RTL, seed and versions give the same bitstream.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealshot.kernels.rtl.tools import BuildError, OutOfTimeError, run, versions

PART = "LFE5U-85F-6BG381C"
TOP, LIKELIHOOD = "ulx3s", "likelihood"
SYNTHESIS = (
    "read_rtlil {top}.il",
    "hierarchy -top {top}",
    "setattr -mod -set keep_hierarchy 1 *.copy_*",
    "synth_ecp5 -top {top} -json netlist.json",
)
"""`keep_hierarchy`: see :class:`~.primitives.Copy`."""
PLACE_AND_ROUTE = (
    "--85k", "--speed", "6", "--package", "CABGA381", "--timing-allow-fail",
)  # fmt: skip
ROUTERS = {"router1": 900, "router2": 0}
"""Of nextpnr, in the order in which they are tried, and the processor time that each may take,
seconds. The first gives the faster clock and needs three minutes with most seeds; with some it
never ends. The second always does."""
CELLS = {
    "LUT4": "TRELLIS_COMB",
    "flip-flop": "TRELLIS_FF",
    "DP16KD": "DP16KD",
    "MULT18X18D": "MULT18X18D",
}
"""What is counted, by nextpnr's names."""
Told = Callable[[str], None]


@dataclass(frozen=True)
class Used:
    """Cells of one kind."""

    used: int
    there_are: int


@dataclass(frozen=True)
class Routed:
    """One place and route."""

    seed: int
    mhz: float
    """The highest clock that nextpnr's timing of this part allows."""
    config: Path
    router: str
    """One of :data:`ROUTERS`."""


@dataclass(frozen=True)
class Placement:
    """A design on the part."""

    part: str
    design_sha256: str
    clock_mhz: float
    """What was asked for; in the whole top, what the PLL makes."""
    used: dict[str, Used]
    routed: tuple[Routed, ...]
    versions: dict[str, str]

    @property
    def best(self) -> Routed:
        """The fastest, which is what is packed."""
        return max(self.routed, key=lambda one: one.mhz)


def rtlil_top(platform: object) -> str:
    """Return the whole top as RTLIL.

    Args:
        platform: :class:`~.primitives.Ecp5` for its cells; None, plain, for simulation.
    """
    from amaranth.back import rtlil
    from amaranth.hdl import Signal

    from sealshot.kernels.rtl.ulx3s import Ulx3s

    top = Ulx3s()
    pins = [signal for signal in vars(top).values() if isinstance(signal, Signal)]
    return str(rtlil.convert(top, name=TOP, ports=pins, platform=platform))


def design_sha256(rtlil: str) -> str:
    """Return the hash of a design: of its RTLIL, without the lines of source it came from."""
    kept = (line for line in rtlil.splitlines() if not line.lstrip().startswith("attribute \\src"))
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()


def layout_sha256() -> str:
    """Return the hash of what else decides on the top's clock: nextpnr's options and its sites."""
    from sealshot.kernels.rtl.floorplan import plan

    decides = PLACE_AND_ROUTE, tuple(ROUTERS), sorted(plan().items())
    return hashlib.sha256(repr(decides).encode()).hexdigest()


def rtlil_likelihood() -> str:
    """Return the likelihood unit, alone, as RTLIL with the cells of the ECP5."""
    from amaranth.back import rtlil
    from amaranth.hdl import Signal

    from sealshot.kernels.rtl.likelihood.unit import LikelihoodUnit
    from sealshot.kernels.rtl.primitives import Ecp5

    unit = LikelihoodUnit()
    pins = [signal for signal in vars(unit).values() if isinstance(signal, Signal)]
    return str(rtlil.convert(unit, name=LIKELIHOOD, ports=pins, platform=Ecp5()))


def synthesise(folder: Path, top: str, rtlil: str, told: Told | None = None) -> Path:
    """Write the netlist `TOP.json` of a design, and return it.

    Raises:
        BuildError: a tool is missing, or failed.
    """
    (folder / f"{top}.il").write_text(rtlil)
    run(folder, "yosys", "-p", "; ".join(SYNTHESIS).format(top=top), told=told)
    return (folder / "netlist.json").replace(folder / f"{top}.json")


def place(
    folder: Path, top: str, clock_mhz: float, seeds: Sequence[int], told: Told | None = None
) -> Placement:
    """Place and route the netlist `TOP.json` in a folder, once a seed; what is there is kept.

    Args:
        folder: where it is, with `TOP.lpf` where pins and oscillator are fixed.
        top: its name.
        clock_mhz: what its clock is to be; the PLL of the whole top says that itself.
        seeds: of the placement.
        told: is given each line that nextpnr says, as it comes.

    Raises:
        BuildError: a tool is missing, or failed; or the netlist does not fit.
    """
    pins = ("--lpf", f"{top}.lpf") if (folder / f"{top}.lpf").exists() else ()
    routed: list[Routed] = []
    used: dict[str, Used] = {}
    for seed in seeds:
        report, config, log = (
            folder / f"{top}-{seed}.{end}" for end in ("report.json", "config", "log")
        )
        if not report.exists():
            given = (
                *PLACE_AND_ROUTE, "--json", f"{top}.json", *pins, "--freq", f"{clock_mhz:g}",
                "--seed", str(seed), "--report", "report", "--textcfg", "config",
            )  # fmt: skip
            for router, cpu_s in ROUTERS.items():
                try:
                    run(folder, "nextpnr-ecp5", *given, "--router", router, told=told, cpu_s=cpu_s)
                    break
                except OutOfTimeError:
                    continue
            for name, kept in (("nextpnr-ecp5.log", log), ("config", config), ("report", report)):
                (folder / name).replace(kept)
        used, mhz = read_report(report.read_text())
        router = "router2" if "Running router2" in log.read_text() else "router1"
        routed.append(Routed(seed, mhz, config, router))
    design = design_sha256((folder / f"{top}.il").read_text())
    return Placement(PART, design, clock_mhz, used, tuple(routed), versions())


def read_report(text: str) -> tuple[dict[str, Used], float]:
    """Return the cells used and the highest clock, MHz, of a report by nextpnr.

    Where there are several clocks the fastest is the scorer's.

    Raises:
        BuildError: it is none.
    """
    try:
        report = json.loads(text)
        used = {
            name: Used(
                report["utilization"][cell]["used"], report["utilization"][cell]["available"]
            )
            for name, cell in CELLS.items()
        }
        clocks = {clock["constraint"]: clock["achieved"] for clock in report["fmax"].values()}
        return used, round(float(clocks[max(clocks)]), 2)
    except (ValueError, KeyError, TypeError) as error:
        raise BuildError(f"nextpnr's report cannot be read: {error}") from None


def pack_bitstream(folder: Path, config: Path) -> Path:
    """Write `ulx3s.bit` of a routed design.

    Raises:
        BuildError: a tool is missing, or failed.
    """
    names = str(config.relative_to(folder)), f"{TOP}.bit"  # YoWASP has a /tmp of its own
    run(folder, "ecppack", "--compress", "--input", names[0], "--bit", names[1])
    return folder / names[1]
