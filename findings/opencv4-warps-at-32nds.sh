#!/usr/bin/env bash
# OpenCV 4 warps at 32nds of a pixel, float images too, while it reports ALGO_HINT_ACCURATE; OpenCV 5 warps exactly.
#
# Expected: getDefaultAlgorithmHint() is ALGO_HINT_ACCURATE in both, so warpAffine and remap of a float32 image give
# the linear interpolation to within float rounding, and the same picture in both.
# Seen (opencv-python-headless 4.14.0.94 against 5.0.0.93, x86-64): a shift by 0.01 pixel moves nothing in 4.14, and
# one by 0.02 moves by 1/32: several grey levels of 255 beside the right ones; 5.0 is right to 0.01. So a reference
# that was drawn with one does not hold for the other: a face detector that is sure to a tenth of a pixel on equal
# input differed by about one on a portrait turned by 20 degrees.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 4.14.0.94 5.0.0.93; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install -q "opencv-python-headless==$version" numpy==2.2.6
    "$folder/$version/bin/python" - <<'PYTHON'
import sys

import cv2
import numpy as np

image = np.random.default_rng(0).uniform(0, 255, (200, 200)).astype(np.float32)
y, x = np.mgrid[:200, :200].astype(np.float32)
print("OpenCV", cv2.__version__)
if cv2.getDefaultAlgorithmHint() != cv2.ALGO_HINT_ACCURATE:
    sys.exit("the default hint is not ALGO_HINT_ACCURATE")

inside = slice(0, 198)
coarse = cv2.__version__.startswith("4.")
for shift in (0.01, 0.02, 0.25):
    right = image * (1 - shift) + np.roll(image, -1, axis=1) * shift
    at_32nds = round(shift * 32) / 32
    rounded = image * (1 - at_32nds) + np.roll(image, -1, axis=1) * at_32nds
    turn = np.array([[1, 0, shift], [0, 1, 0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for name, warped in {
        "warpAffine": cv2.warpAffine(image, turn, (200, 200), flags=flags),
        "remap": cv2.remap(image, x + np.float32(shift), y, cv2.INTER_LINEAR),
    }.items():
        from_right, from_rounded = (
            np.abs(warped - of)[:, inside].max() for of in (right, rounded)
        )
        print(f"{name} by {shift}: {from_right:.3f} grey levels from exact, "
              f"{from_rounded:.3f} from a shift by {at_32nds}")
        if (from_rounded if coarse else from_right) > 0.01:
            sys.exit("it was otherwise")
        if coarse and shift != at_32nds and from_right < 1:
            sys.exit("it is exact now")
PYTHON
done
