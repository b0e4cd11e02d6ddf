"""The steps to a bitstream that need no minutes: the top, its pins, reports that are read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sealshot.kernels.rtl import tools
from sealshot.kernels.rtl.place import design_sha256, read_report
from sealshot.kernels.rtl.tools import BuildError, run
from sealshot.kernels.rtl.ulx3s import CLOCK_MHZ, OSCILLATOR_MHZ, PINS, VCO_MHZ, constraints

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
    assert CLOCK_MHZ % OSCILLATOR_MHZ == VCO_MHZ % CLOCK_MHZ == 0
    assert 400 <= VCO_MHZ <= 800


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
    with pytest.raises(BuildError, match="ecppack failed: ERROR: no such file"):
        run(tmp_path, "ecppack", told=lines.append)
    assert lines == ["begin", "ERROR: no such file", "end"]
    program.unlink()
    monkeypatch.setattr(tools, "find_spec", lambda _: None)
    with pytest.raises(BuildError, match=r"sealshot\[fpga\]"):
        run(tmp_path, "ecppack")
