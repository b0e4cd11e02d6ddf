#!/usr/bin/env bash
# Kornia mirrors a picture by one rule and the boxes in it by another, so that they end one pixel beside what they held.
#
# Expected: AugmentationSequential moves boxes along with the pixels. Of "bbox_xyxy" the width is x2 - x1 (that of
# "xyxy_plus" has one more), so a bright block of columns 10 to 25 has the box 10, 26, and mirrored in 80 columns the
# block is 54 to 69 and the box 54, 70. A crop copies pixels. The layer Resize does what the function resize does.
# Seen (kornia 0.9.0): corners of boxes are mirrored as centres of pixels, so the box is 53, 69; so with each flip and
# quarter turn. center_crop interpolates: out of 64 columns 21 lie between the pixels, and noise comes out with a
# quarter of its variance, as out of a blurred picture, which a score of sharpness sees; 20 are copied. The layer Resize
# keeps the centres of the corner pixels where they are (align_corners=True), the function their areas, as OpenCV and
# PyTorch do: what was trained with one sees faces of another size by the other.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 kornia==0.9.0 numpy==2.4.*
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import kornia
import torch
from kornia.augmentation import AugmentationSequential, RandomHorizontalFlip, RandomRotation90, Resize

print("kornia", kornia.__version__)
picture = torch.zeros(1, 1, 64, 80)
picture[..., 20:30, 10:26] = 1
box = torch.tensor([[[10.0, 20, 26, 30]]])
for what, step, beside in (
    ("mirrored", [RandomHorizontalFlip(p=1)], [-1, 0, -1, 0]),
    ("turned", [RandomRotation90((1, 1), p=1)], [0, -1, 0, -1]),
    ("mirrored twice", [RandomHorizontalFlip(p=1), RandomHorizontalFlip(p=1)], [0, 0, 0, 0]),
):
    moved, moved_box = AugmentationSequential(*step, data_keys=["input", "bbox_xyxy"])(picture, box)
    rows_columns = torch.nonzero(moved[0, 0] > 0.5)
    first, last = rows_columns.min(0)[0].flip(0), rows_columns.max(0)[0].flip(0)
    pixels, found = [*first.tolist(), *(last + 1).tolist()], moved_box.flatten().tolist()
    print(f"{what}: the pixels fill {pixels}, the box is {[round(value, 2) for value in found]}")
    if [round(a - b, 3) for a, b in zip(found, pixels)] != beside:
        sys.exit("it was otherwise")

by_layer = Resize((112, 112))(torch.arange(28.0).expand(1, 1, 28, 28))[0, 0, 56]
by_function = kornia.geometry.resize(torch.arange(28.0).expand(1, 1, 28, 28), (112, 112))[0, 0, 56]
where = [torch.nonzero(line >= 3)[0].item() for line in (by_layer, by_function)]
print(f"column 3 of 28, enlarged to 112: at {where[0]} by augmentation.Resize, at {where[1]} by geometry.resize")
if where != [13, 14]:
    sys.exit("it was otherwise")

noise = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
for size in (20, 21):
    kept = kornia.geometry.transform.center_crop(noise, (size, size)).var() / noise.var()
    print(f"center_crop of {size} out of 64: {kept:.2f} of the variance")
    if (kept < 0.35) != (size == 21):
        sys.exit("it was otherwise")
PYTHON
