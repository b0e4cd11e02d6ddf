#!/usr/bin/env bash
# sewar's UQI gives .87 to a flat grey in place of the picture, and .74 to another picture: it takes means for sums.
#
# Expected: the universal quality index of Wang and Bovik (2002) is the mean over windows of 8x8 of
# 4 cov(x, y) mean(x) mean(y) / ((var(x) + var(y)) (mean(x)^2 + mean(y)^2)): 1 for the same, 0 for what has nothing in common.
# Seen (sewar 0.4.10): the formula is written for sums over the N = 64 pixels of a window, N sum(xy) - sum(x) sum(y), and
# gets their means: N mean(xy) - mean(x) mean(y) is mostly mean(xy), so that only brightness counts. A blur of 8 pixels has
# .90 in place of .09, a flat grey .87 in place of 0, the negative .62 in place of -.83; the same picture still has 1. Nothing is
# said. So what hides faces seems to have kept what it took away. sewar's ssim of the same pairs is as it should be.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q sewar==0.4.10 numpy==2.4.6 scipy==1.17.1 pillow==12.*
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter
from sewar.full_ref import ssim, uqi

print("sewar", version("sewar"))
random = np.random.default_rng(0)


def picture() -> np.ndarray:
    smooth = gaussian_filter(random.normal(size=(128, 128)), 3)
    return np.clip(smooth * 600 + 128, 0, 255).round().astype(np.uint8)


def windows(of: np.ndarray) -> np.ndarray:
    return sliding_window_view(of.astype(float), (8, 8)).reshape(-1, 64)


def defined(x: np.ndarray, y: np.ndarray) -> float:
    x, y = windows(x), windows(y)
    mean_x, mean_y = x.mean(1), y.mean(1)
    together = ((x - mean_x[:, None]) * (y - mean_y[:, None])).sum(1) / 63
    spread = x.var(1, ddof=1) + y.var(1, ddof=1)
    return float(np.mean(4 * together * mean_x * mean_y / (spread * (mean_x**2 + mean_y**2))))


one = picture()
others = {
    "the same": one,
    "blurred": gaussian_filter(one.astype(float), 8).round().astype(np.uint8),
    "a flat grey": np.full_like(one, round(one.mean())),
    "another picture": picture(),
    "the negative": 255 - one,
}
found = {}
for name, other in others.items():
    found[name] = float(uqi(one, other)), defined(one, other)
    print(f"{name}: UQI {found[name][0]:.3f}, as defined {found[name][1]:.3f}, SSIM {ssim(one, other)[0]:.3f}")
as_found = found["the same"] == (1, 1) and all(
    theirs > 0.6 and right < 0.1 for name, (theirs, right) in found.items() if name != "the same"
)
sys.exit(not as_found)
PYTHON
echo "as found"
