#!/usr/bin/env bash
# PyEER's FMR100 and FMR1000 are errors at the false match rate that is nearest, be it twice the one that was asked for.
#
# Expected: FMR100 is the lowest FNMR at a threshold where at most 1 % of the impostors match, FMR1000 where at most .1 %
# do, ZeroFMR where none does (FVC2004, which PyEER names; ISO/IEC 19795-1 fixes the threshold by the FMR as well).
# Seen (pyeer 0.5.6): `get_fmr_op` takes the argmin of abs(FMR - rate). Of 600 impostor scores the rates next to .1 % are 0
# and .17 %, and it takes .17 %; of scores in steps, as int8 or rounding gives them, it takes 1.3 % for 1 %. So the FNMR is
# told too low: of the cases below .265 in place of .353. What it gives for 1,000 impostors without ties is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyeer==0.5.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from pyeer.eer_info import get_eer_stats

print("pyeer", version("pyeer"))


def by_definition(genuine, impostor, rate):
    thresholds = np.unique(np.r_[genuine, impostor, np.inf])
    return min((genuine < t).mean() for t in thresholds if (impostor >= t).mean() <= rate)


def scores(number, step=0.0):
    of = np.random.default_rng(0)
    genuine, impostor = of.normal(3, 1, 20_000), of.normal(0, 1, number)
    return [np.round(s / step) * step if step else s for s in (genuine, impostor)]


seen = []
for name, pair, rate, key in (
    ("1,000 impostors", scores(1_000), 0.001, "fmr1000"),
    ("600 impostors", scores(600), 0.001, "fmr1000"),
    ("20,000 in steps of 1/2", scores(20_000, 0.5), 0.01, "fmr100"),
):
    told = get_eer_stats(*pair)
    there = (pair[1] >= getattr(told, key + "_th")).mean()
    right = by_definition(*pair, rate)
    print(f"{name}: FMR {there:.4f} for {rate}: FNMR {getattr(told, key):.4f}, by definition {right:.4f}")
    seen.append((bool(there > rate * 1.2), float(getattr(told, key) / right)))
if [over for over, _ in seen] != [False, True, True] or not (seen[0][1] == 1 > seen[1][1] and seen[2][1] < 0.7):
    sys.exit("this has changed")
PYTHON
echo "as found"
