#!/usr/bin/env bash
# TorchMetrics' Spearman correlation of many equal scores is far too low: it adds up their ranks in 32 bits.
#
# Expected: spearman_corrcoef is SciPy's spearmanr, ties included (its own tests hold it against that), to float32.
# Seen (torchmetrics 1.9.0, torch 2.13.0): for 202,599 pictures, as CelebA has, a score and the same score in 64 steps
# have .9993, as in SciPy; in 32 steps, as 5 bits or rounding gives them, .03 in place of .997. A tie's mean rank is the int32
# sum of its ranks by their number, and 11,000 equal scores at rank 200,000 are 2.2e9: the sum wraps, float64 input or not,
# and the mean is negative. Of 65,535 scores or fewer no sum is that large. Nothing is said, the result lies within -1 and 1, and
# a score against itself still has 1. So a coarse score, or one of int8, is taken for a useless one where there are many.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torchmetrics==1.9.0 torch==2.13.0 scipy==1.17.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import torch
from scipy.stats import spearmanr
from torchmetrics.functional import spearman_corrcoef

print("torchmetrics", version("torchmetrics"), "torch", version("torch"))


def both(number: int, steps: int, dtype: torch.dtype) -> tuple[float, float]:
    score = np.random.default_rng(0).normal(size=number)
    coarse = np.clip(np.round((score + 4) / 8 * (steps - 1)), 0, steps - 1)
    theirs = spearman_corrcoef(torch.tensor(coarse, dtype=dtype), torch.tensor(score, dtype=dtype))
    return float(theirs), float(spearmanr(coarse, score).statistic)


wrong = []
for number, steps in ((65_000, 32), (202_599, 64), (202_599, 32), (202_599, 16)):
    for dtype in (torch.float32, torch.float64):
        theirs, right = both(number, steps, dtype)
        print(f"{number:,} in {steps} steps, {dtype}: {theirs:.4f}, by SciPy {right:.4f}")
        wrong.append(theirs < right - 0.5)
if wrong != [False] * 4 + [True] * 4:
    sys.exit("this has changed")
PYTHON
echo "as found"
