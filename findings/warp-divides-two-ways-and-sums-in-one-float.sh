#!/usr/bin/env bash
# In a Warp kernel // is Python's and % is C's, so that -7 is not -7 // 2 * 2 + -7 % 2; and its sum of pixels on a CPU drifts.
#
# Expected: a kernel is Python by its syntax, in which // and % are one division: q = a // b and r = a % b give a = q * b + r,
# -7 // 2 is -4 and -7 % 2 is 1; or both are C's, -3 and -1. wp.utils.array_sum is right to some millionths, as NumPy's and
# PyTorch's sums of float32 are.
# Seen (warp-lang 1.19.0, on a CPU): // rounds down and % towards zero, of int32 and of float32: -4 and -1, which make -9. So
# a pixel left of the picture gets the tile of one rule and the place in it of the other, and an angle below 0 is not
# brought into its circle. array_sum and array_inner add all into one float32: a mask of 20 million covered pixels counts
# 16,777,216 (2**24, where adding 1 stops), and the mean of a full-HD picture that is 0.7 everywhere is 1 % off.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export WARP_CACHE_PATH=$folder/cache
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q warp-lang==1.19.0 numpy==2.4.*
cd "$folder"
cat > kernels.py <<'PYTHON'
import sys

import numpy as np
import warp as wp

wp.config.quiet = True


@wp.kernel
def whole(a: wp.array(dtype=wp.int32), b: wp.array(dtype=wp.int32), out: wp.array(dtype=wp.int32)):
    out[0] = a[0] // b[0]
    out[1] = a[0] % b[0]


@wp.kernel
def real(a: wp.array(dtype=wp.float32), b: wp.array(dtype=wp.float32), out: wp.array(dtype=wp.float32)):
    out[0] = a[0] // b[0]
    out[1] = a[0] % b[0]


def run(kernel, dtype, a, b):
    given = [wp.array(np.array([value], dtype), device="cpu") for value in (a, b)]
    out = wp.zeros(2, dtype=given[0].dtype, device="cpu")
    wp.launch(kernel, dim=1, inputs=[*given, out], device="cpu")
    return out.numpy().tolist()


print("warp", wp.__version__)
for kernel, dtype in ((whole, np.int32), (real, np.float32)):
    quotient, rest = run(kernel, dtype, -7, 2)
    print(f"{dtype.__name__}: -7 // 2 = {quotient}, -7 % 2 = {rest}; together {quotient * 2 + rest}")
    if (quotient, rest) != (-4, -1):
        sys.exit("it was otherwise")

mask = np.ones(20_000_000, np.float32)
count = wp.utils.array_sum(wp.array(mask, device="cpu"))
print(f"{mask.size} pixels are covered, array_sum says {count:.0f}, NumPy {mask.sum():.0f}")
picture = np.full(1920 * 1080, 0.7, np.float32)
on_cpu = wp.array(picture, device="cpu")
mean = wp.utils.array_sum(on_cpu) / picture.size
inner = wp.utils.array_inner(on_cpu, on_cpu) / picture.size
print(f"the mean of 0.7 is {mean:.4f}, NumPy's {picture.mean():.4f}; that of its square {inner:.4f}, not 0.49")
if count != 2**24 or abs(mean - 0.7) < 0.005 or abs(inner - 0.49) < 0.002:
    sys.exit("it was otherwise")
PYTHON
venv/bin/python kernels.py
