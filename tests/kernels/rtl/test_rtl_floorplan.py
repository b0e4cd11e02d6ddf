"""The sites of block RAMs and multipliers: of the part, one each, near what they are wired to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("amaranth")

from sealshot.kernels.rtl import floorplan, place
from sealshot.kernels.rtl.primitives import Ecp5
from sealshot.kernels.rtl.tools import BuildError, run

REACH = 40
"""Tiles of a wire in a cycle, about, at 160 MHz."""


@pytest.fixture(scope="module")
def sites() -> dict[str, str]:
    return floorplan.plan()


def at(site: str) -> tuple[int, int]:
    x, y = re.findall(r"[XY](\d+)", site)
    return int(x), int(y)


def spread(sites: list[str]) -> float:
    """Return how far the farthest of some sites is from their middle, in tiles."""
    places = np.array([at(site) for site in sites], float)
    return float(np.abs(places - places.mean(0)).sum(1).max())


def test_each_cell_of_the_design_has_a_site_of_its_own_kind_and_no_two_share_one(
    sites: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "top.il").write_text(place.rtlil_top(Ecp5()))
    script = "read_rtlil top.il; flatten; select -write cells t:DP16KD t:MULT18X18D"
    run(tmp_path, "yosys", "-q", "-p", script)
    names = (tmp_path / "cells").read_text().split()
    assert {re.sub(r"\$\d+", "", name.partition("/")[2]) for name in names} == set(sites)
    assert len(set(sites.values())) == len(sites) == 198 + 132
    for name, site in sites.items():
        assert ("MULT18_" in site) == ("multiplier" in name), name


def test_what_is_wired_lies_together(sites: dict[str, str]) -> None:
    for tile in range(8):
        for lane in range(4):
            stem = f"link.engine.array.tile_{tile}.multiplier_{lane}_"
            assert spread([sites[f"{stem}{i}.cell"] for i in range(4)]) <= 4
    for low in (0, 342, 684):
        for first in range(0, 342, 18):
            banks = [f"link.engine.weights.ram_{b}_{low}.bits{first}" for b in range(3)]
            assert spread([sites[bank] for bank in banks]) <= REACH, banks
        for b in range(3):
            copy = [site for name, site in sites.items() if f".ram_{b}_{low}." in name]
            assert len(copy) == 19
            assert spread(copy) <= REACH, (b, low)


def test_the_sites_are_written_into_a_netlist_that_has_just_these_cells(
    sites: dict[str, str], tmp_path: Path
) -> None:
    netlist = tmp_path / "netlist.json"

    def write(names: list[str]) -> None:
        cells = {
            name.replace("weights", "weights$106"): {
                "type": "MULT18X18D" if "multiplier" in name else "DP16KD",
                "attributes": {},
            }
            for name in names
        } | {"logic": {"type": "LUT4", "attributes": {}}}
        netlist.write_text(json.dumps({"modules": {"ulx3s": {"cells": cells}}}))

    write(list(sites))
    floorplan.apply(netlist)
    cells = json.loads(netlist.read_text())["modules"]["ulx3s"]["cells"]
    found = {cell["attributes"].get("BEL") for cell in cells.values()}
    assert found == {*sites.values(), None}

    write([*sites, "another.multiplier"])
    with pytest.raises(BuildError, match=r"no site for another\.multiplier"):
        floorplan.apply(netlist)
    write(list(sites)[1:])
    with pytest.raises(BuildError, match="not there"):
        floorplan.apply(netlist)
