#!/usr/bin/env bash
# perun makes joules of a counter of joules by way of watts: of 160 J it reports 115 where the load rises, 205 where it falls.
#
# Expected: RAPL's counter says how many joules went by; the energy of a run is its last reading less its first, exactly, whatever
# lies between.
# Seen (perun 1.0.0): processEnergyData divides what the counter gained between two readings by their time, puts the first of these
# means a second time before them, and integrates by trapezoids, as if they were powers at the readings. So half of the first
# gain counts too much and half of the last too little: readings a second apart (its default) that gain 10, 50 and 100 J have
# 115 J, 100, 50 and 10 J have 205. A steady load is right, and a wrap of the counter is made good. The error is half of what the
# first and the last second differ by: 1.5 % of a minute from idle to busy, and a third of a few seconds, as of a program that loads a
# net and then computes. Nothing is said. alt_values keeps the counter: take its ends.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q perun==1.0.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from perun.data_model.data import RawData
from perun.data_model.measurement_type import Magnitude, MetricMetaData, Unit
from perun.processing import processEnergyData

WRAPS = 262_143_328_850  # max_energy_range_uj of many processors
CASES = {  # joules gained in each second, and what perun makes of them
    "a steady load": ([50, 50, 50], 150),
    "a rising load": ([10, 50, 100], 115),
    "a falling load": ([100, 50, 10], 205),
    "four seconds idle, one busy": ([5, 5, 5, 5, 95], 70),
    "a minute from idle to busy": ([5] * 30 + [95] * 30, 2955),
}


def energy(gained: list[int], first: int) -> float:
    counter = (first + np.cumsum([0, *gained], dtype=np.uint64) * 1_000_000) % WRAPS
    times = np.arange(len(counter), dtype=np.float32)
    seconds = MetricMetaData(Unit.SECOND, Magnitude.ONE, np.dtype("float32"), np.float32(0), np.float32(1e9), np.float32(-1))
    joules = MetricMetaData(
        Unit.JOULE, Magnitude.MICRO, np.dtype("uint64"), np.uint64(0), np.uint64(WRAPS), np.uint64(WRAPS)
    )  # as its powercap_rapl has it
    return float(processEnergyData(RawData(times, counter.astype(np.uint64), seconds, joules))[0])


print("perun", version("perun"))
wrong = False
for name, (gained, seen) in CASES.items():
    plain, wrapped = energy(gained, 1_000_000_000), energy(gained, WRAPS - 20_000_000)
    print(f"{name}: {sum(gained)} J by the counter, {plain:.1f} by perun, {wrapped:.1f} over a wrap")
    wrong |= not np.allclose([plain, wrapped], seen, rtol=1e-3)
sys.exit(wrong)
PYTHON
echo "as found"
