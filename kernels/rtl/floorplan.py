"""Sites of the block RAMs and multipliers on the die of an LFE5U-85F, for nextpnr.

Of 208 block RAMs the scorer takes 198, of 156 multipliers 132. They lie in rows, with logic
between, and nextpnr's placer, which is good at logic, scatters them: with some seeds what it leaves
can hardly be routed. So they get their sites here, from what is wired to what, and with them the
placer's seed moves logic alone.

Distances are counted in tiles, along the rows and the columns, as wires run.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from sealshot.kernels.rtl.array import LANE_WEIGHT_BITS, LANES, TILES
from sealshot.kernels.rtl.engine import BANKS, RAMS_PER_COPY, WEIGHT_WORD_BITS
from sealshot.kernels.rtl.shape import INPUTS
from sealshot.kernels.rtl.tools import BuildError

COLUMNS = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)
"""Where the blocks of nine tiles begin, each with four block RAMs or four multipliers."""
RAM_ROWS, RAM_TILES = (22, 46, 70, 82), (0, 2, 4, 6)
MULTIPLIER_TILES = (0, 1, 4, 5)
TILE_BLOCKS = (
    ((0, 34), (0, 58), (1, 34), (1, 58)),
    ((2, 34), (2, 58), (3, 34), (3, 58)),
    ((3, 10), (4, 10), (5, 10), (6, 10)),
    ((4, 34), (4, 58), (5, 34), (5, 58)),
    ((7, 34), (7, 58), (8, 34), (8, 58)),
    ((7, 10), (8, 10), (9, 10), (10, 10)),
    ((9, 34), (9, 58), (10, 34), (10, 58)),
    ((11, 34), (11, 58), (12, 34), (12, 58)),
)
"""Column and row of the block of each lane, by tile: two rows across the die, and what is left over
in the middle of the third. Neighbours in the chain of sums are neighbours here."""
REQUANTISER_BLOCK = (6, 34)
CENTRE = (62, 50)
"""Where addresses come from."""
BANK_ROWS = (22, 46, 70)
PARAMETERS_AT, INPUTS_AT = (32, 22), (62, 82)
REACH = 40
"""Tiles that a wire crosses in a cycle in which nothing else is done."""
ROUNDS = 12


def plan() -> dict[str, str]:
    """Return the site of each block RAM and multiplier, by the name of its cell.

    Names are those that Amaranth gives, without the numbers by which it tells equal ones apart;
    sites are nextpnr's.
    """
    sites = {}
    for tile in range(TILES):
        for lane, (column, row) in enumerate(TILE_BLOCKS[tile]):
            for i in range(INPUTS):
                name = f"link.engine.array.tile_{tile}.multiplier_{lane}_{i}.cell"
                sites[name] = _multiplier(column, row, i)
    for lane in range(LANES):
        name = f"link.engine.requantiser.lane_{lane}.multiplier.cell"
        sites[name] = _multiplier(*REQUANTISER_BLOCK, lane)
    return sites | _rams()


def apply(netlist: Path) -> None:
    """Write the sites of :func:`plan` into a netlist of Yosys.

    Raises:
        BuildError: it has block RAMs or multipliers that the plan does not know, or lacks some.
    """
    design = json.loads(netlist.read_text())
    sites = plan()
    for module in design["modules"].values():
        for name, cell in module["cells"].items():
            if cell["type"] in ("DP16KD", "MULT18X18D"):
                site = sites.pop(re.sub(r"\$\d+", "", name), None)
                if site is None:
                    raise BuildError(f"the floorplan has no site for {name}")
                cell["attributes"]["BEL"] = site
    if sites:
        raise BuildError(f"the floorplan has sites for cells that are not there: {min(sites)}")
    netlist.write_text(json.dumps(design))


def _multiplier(column: int, row: int, i: int) -> str:
    tile = MULTIPLIER_TILES[i]
    return f"X{COLUMNS[column] + tile}/Y{row}/MULT18_{tile}"


def _rams() -> dict[str, str]:
    """Return the sites of the block RAMs: an assignment of the least cost, found in rounds.

    In each the cost of a site grows with the longest of the wires from there, each counted in
    cycles that it has: to its multipliers, to where addresses come from, and to the other block
    RAMs that share a copy of the address, or the data to be written, as they lay in the round
    before.
    """
    places = [
        (COLUMNS[column] + tile, row, f"X{COLUMNS[column] + tile}/Y{row}/EBR{k}")
        for row in RAM_ROWS
        for column in range(len(COLUMNS))
        for k, tile in enumerate(RAM_TILES)
    ]
    at = np.array([place[:2] for place in places], float)  # [208, 2]
    lanes = np.array(
        [(COLUMNS[c] + 2.5, row) for blocks in TILE_BLOCKS for c, row in blocks], float
    )
    groups = -(-WEIGHT_WORD_BITS // 18)
    bits = np.minimum(np.arange(18 * groups), WEIGHT_WORD_BITS - 1) // LANE_WEIGHT_BITS
    goal = lanes[bits].reshape(groups, 18, 2).mean(1)  # [57, 2]: the multipliers of a block RAM

    others = {f"link.engine.parameters.bits{18 * i}": PARAMETERS_AT for i in range(10)}
    others |= {f"link.engine.inputs.large.bits{4 * i}": INPUTS_AT for i in range(9)}
    others |= {f"link.engine.inputs.small.bits{9 * i}": INPUTS_AT for i in range(4)}
    others |= {f"link.engine.inputs.pixels_{i}.bits0": INPUTS_AT for i in range(INPUTS)}
    wanted = np.array([other for other in others.values()], float)
    far_others = _far(at, wanted)
    cost_others = _strain(far_others) + 0.3 * far_others / REACH

    bank = np.repeat(np.arange(BANKS), groups)
    to_goal = _far(at, np.tile(goal, (BANKS, 1)))
    fixed = (
        _strain(_far(at, np.array([CENTRE])) / 3)
        + 2 * _strain(to_goal / 2.5)
        + 0.1 * to_goal / REACH
    )
    # whose cost is the same lie in their order, so that there is one answer
    in_order = 1e-6 * np.outer(np.r_[np.tile(np.arange(groups), BANKS), : len(others)], at[:, 0])
    now = np.stack([np.tile(goal[:, 0], BANKS), np.array(BANK_ROWS)[bank]], 1)
    chosen = np.zeros(0, int)
    for _ in range(ROUNDS):
        by_bank = now.reshape(BANKS, groups, 2)
        copies = by_bank.reshape(BANKS, -1, RAMS_PER_COPY, 2).mean(2)
        copies = np.repeat(copies, RAMS_PER_COPY, 1).reshape(-1, 2)
        same_data = np.tile(by_bank.mean(0), (BANKS, 1))
        cost = (
            fixed
            + _strain(1.3 * _far(at, copies))
            + _strain(_far(at, same_data))
            + 0.05 * _far(at, now) / REACH
        )
        chosen = linear_sum_assignment(np.concatenate([cost, cost_others]) - in_order)[1]
        now = at[chosen[: len(cost)]]
    names = [
        f"link.engine.weights.ram_{b}_{g // RAMS_PER_COPY * RAMS_PER_COPY * 18}"
        f".bits{g % RAMS_PER_COPY * 18}"
        for b in range(BANKS)
        for g in range(groups)
    ]
    return {name: places[i][2] for name, i in zip([*names, *others], chosen, strict=True)}


def _far(at: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far places are from wanted ones, tiles: ``[wanted, places]``."""
    return np.asarray(np.abs(wanted[:, None] - at[None]).sum(-1))


def _strain(tiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a wire of a length in a cycle costs: little, until it is too long."""
    return (tiles / REACH) ** 4
