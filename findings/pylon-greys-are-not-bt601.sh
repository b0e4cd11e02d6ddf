#!/usr/bin/env bash
# Basler's pylon makes grey of colour by weights of its own, 2/8 5/8 1/8 and cut off, and leaves a black row and column.
#
# Expected: ImageFormatConverter to Mono8 gives the luma that all the others give (BT.601: .299 R + .587 G + .114 B, as
# OpenCV and FFmpeg have it), rounded; of a flat Bayer picture a flat picture.
# Seen (pypylon 26.9, which brings pylon 12.4): of any RGB8 or BGR8 picture exactly (2 R + 5 G + B) // 8: pure red is 63
# in place of 76, pure green 159 in place of 150. So a score that learnt on OpenCV's grey sees another contrast of lips and
# skin in pylon's; by way of BGR8 and OpenCV it sees its own. Of each Bayer pattern the last row and the last column are 0,
# in Mono8 and in RGB8 alike: a line that detectors and border checks see. Nothing needs a camera: pictures are given by hand.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pypylon==26.9 numpy==2.4.6 opencv-python-headless==5.0.0.93
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import cv2
import numpy as np
from pypylon import pylon

print("pypylon", version("pypylon"), "pylon", ".".join(map(str, pylon.GetPylonVersion())))


def convert(picture: np.ndarray, form: str, to: str) -> np.ndarray:
    image = pylon.PylonImage()
    image.AttachArray(picture, getattr(pylon, "PixelType_" + form))
    converter = pylon.ImageFormatConverter()
    converter.OutputPixelFormat = getattr(pylon, "PixelType_" + to)
    return converter.Convert(image).Array.copy()


picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
picture[0, :4] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
red, green, blue = np.moveaxis(picture.astype(int), 2, 0)
grey = convert(picture, "RGB8packed", "Mono8")
same = np.array_equal(grey, convert(picture[..., ::-1].copy(), "BGR8packed", "Mono8"))
usual = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
print("red, green, blue, white:", grey[0, :4], "by OpenCV:", usual[0, :4])
eighths = np.array_equal(grey, (2 * red + 5 * green + blue) // 8)
print("(2 R + 5 G + B) // 8 of all of them:", eighths and same)

edged = []
for pattern in ("RG", "BG", "GB", "GR"):
    for to in ("Mono8", "RGB8packed"):
        out = convert(np.full((48, 64), 100, np.uint8), f"Bayer{pattern}8", to)
        edged.append((out[:-1, :-1] == 100).all() and not out[-1].any() and not out[:, -1].any())
print("flat Bayer pictures whose last row and column are 0:", sum(edged), "of", len(edged))
if not (eighths and same and all(edged) and grey[0, 0] == 63 and usual[0, 0] == 76):
    sys.exit("this has changed")
PYTHON
echo "as found"
