#!/usr/bin/env bash
# OpenCV's KNN background subtractor takes float pictures, as MOG2 does, and does not see in them what moves.
#
# Expected: a float32 picture of 0 to 255 gives the mask that the same picture as uint8 gives, as with MOG2 ("used without
# scaling", says its documentation), or is refused, as bgsegm's MOG refuses it.
# Seen (opencv-python-headless 5.0.0.93 and 4.13.0.92): createBackgroundSubtractorKNN().apply(float32) raises nothing and gives
# a mask of the right size and type. It takes the bytes of the floats for pixels, as many as the row has: those of the
# left quarter of the picture, each float as four. Of a box in the middle that MOG2 marks whole in float32, and KNN in uint8, 1 %
# is marked, and as much beside it. So a pipeline that removes noise in float before it looks for motion, and goes
# from MOG2 to KNN, records nothing of what happens. Round to uint8 before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PYTHON'
import sys

import cv2
import numpy as np

HEIGHT, WIDTH, BOX = 120, 160, (slice(40, 80), slice(60, 90))
KINDS = {"MOG2": cv2.createBackgroundSubtractorMOG2, "KNN": cv2.createBackgroundSubtractorKNN}
random = np.random.default_rng(0)
scene = cv2.GaussianBlur(random.integers(0, 255, (HEIGHT, WIDTH), np.uint8), (0, 0), 4)


def picture(someone: bool) -> np.ndarray:
    seen = np.clip(scene + random.normal(0, 3, scene.shape), 0, 255).astype(np.uint8)
    if someone:
        seen[BOX] = 240
    return seen


empty, full = [picture(False) for _ in range(60)], picture(True)
changed = False
for name, create in KINDS.items():
    for kind in (np.uint8, np.float32):
        subtractor = create()
        for seen in empty:
            subtractor.apply(seen.astype(kind))
        mask = subtractor.apply(full.astype(kind)) == 255
        inside, outside = mask[BOX].mean(), (mask.sum() - mask[BOX].sum()) / (mask.size - mask[BOX].size)
        print(f"OpenCV {cv2.__version__}, {name}, {kind.__name__}: {inside:.1%} of the box, {outside:.1%} beside it are marked")
        blind = (name, kind) == ("KNN", np.float32)
        changed |= inside > 0.1 if blind else inside < 0.99 or outside > 0.01
print("changed" if changed else "as found")
sys.exit(bool(changed))
PYTHON
python3 -m venv "$folder/venv"
for opencv in 5.0.0.93 4.13.0.92; do
    "$folder/venv/bin/pip" install -q "opencv-python-headless==$opencv" numpy==2.4.*
    "$folder/venv/bin/python" "$folder/look.py"
done
