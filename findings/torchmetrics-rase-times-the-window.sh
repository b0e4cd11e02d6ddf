#!/usr/bin/env bash
# TorchMetrics' RASE is too large by the pixels of its window: 64 times at 8x8, 256 times at 16x16.
#
# Expected: the relative average spectral error is 100 / M * sqrt(mean over channels of RMSE^2), in percent, with M the mean of the
# picture: 10 for a picture and the same 10 % lighter, whatever the window; so sewar has it.
# Seen (torchmetrics 1.9.0, torch 2.13.0): 666 with the window of 8 that it has by default, 166 with 4, 2664 with 16. The mean of the
# window, from a filter whose weights add up to 1, is divided by the number of its pixels a second time. Nothing is said; a picture
# against itself still has 0, and pictures keep their order, so that it shows only beside another's figure. Divide by window_size**2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torchmetrics==1.9.0 torch==2.13.0 sewar==0.4.10 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from sewar.full_ref import rase
from torchmetrics.functional.image import relative_average_spectral_error

print(*(f"{name} {version(name)}" for name in ("torchmetrics", "torch", "sewar")))
torch.manual_seed(0)
picture = torch.rand(1, 3, 64, 64) / 2 + 0.25
lighter = picture * 1.1
right = [True]
for window in (4, 8, 16):
    theirs = float(relative_average_spectral_error(lighter, picture, window_size=window))
    sewars = float(rase(*(of[0].permute(1, 2, 0).double().numpy() for of in (picture, lighter)), ws=window))
    print(f"window of {window}: {theirs:.1f} %, by sewar {sewars:.1f} %, {theirs / sewars:.1f} times as much")
    right.append(abs(sewars - 10) < 1 and abs(theirs / sewars / window**2 - 1) < 0.02)
by_default = float(relative_average_spectral_error(lighter, picture))
right.append(650 < by_default < 680 and float(relative_average_spectral_error(picture, picture)) == 0)
sys.exit(not all(right))
PYTHON
echo "as found"
