#!/usr/bin/env bash
# Numba's CUDA simulator computes in narrower numbers than the kernel that Numba compiles: the mean of 200 and 100 is 22.
#
# Expected: NUMBA_ENABLE_CUDASIM=1 "aims to provide as complete a simulation of execution on a real GPU as possible", so a
# kernel that is tested without a GPU, as in CI, gives what it gives on one, but for the last bits.
# Seen (numba 0.68.1 with numba-cuda 0.30.4, numpy 2.4): the simulator runs the function in Python on NumPy's scalars, which
# keep their type since NumPy 2. The compiler widens, as @njit does: integers to 64 bits, a float32 beside a Python float to
# float64. (a[i] + b[i]) // 2 of uint8 is 22 simulated and 150 compiled, an int32 product wraps beyond 2**31 and does not.
# A sum that begins with 0.0 is of float32 in the simulator, 1 % off after a million pixels, and of float64 on the GPU,
# where that is slow. NumPy warns of the integers, on stderr; of the sum nobody does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numba==0.68.1 numba-cuda==0.30.4 "cuda-bindings==13.*" cuda-core==1.* \
    nvidia-nvvm==13.5.37 nvidia-cuda-nvrtc==13.5.37 numpy==2.4.*
cd "$folder"
cat > kernels.py <<'PYTHON'
import sys

import numpy as np
from numba import cuda, njit, types


def mean(a, b, out):
    out[0] = (a[0] + b[0]) // 2


def place(row, width, out):
    out[0] = row[0] * width[0]


def total(a, b, out):
    s = 0.0
    for i in range(a.size):
        s += a[i] * b[0]
    out[0] = s


GREY = [np.array([value], np.uint8) for value in (200, 100)]
SIZE = [np.array([value], np.int32) for value in (60_000, 50_000)]
BRIGHT = [np.full(1_000_000, 0.7, np.float32), np.ones(1, np.float32)]
CASES = [
    (mean, GREY, types.uint8, types.int64, np.int64, "add.s64"),
    (place, SIZE, types.int32, types.int64, np.int64, "mul.wide.s32"),
    (total, BRIGHT, types.float32, types.float64, np.float64, "add.f64"),
]
for kernel, given, kind, wide, dtype, instruction in CASES:
    out = np.zeros(1, dtype)
    if sys.argv[1] == "simulated":
        cuda.jit(kernel)[1, 1](*given, out)
    else:  # by the same types for this processor; and for a GPU, as text
        njit(kernel)(*given, out)
        ptx, _ = cuda.compile_ptx(kernel, types.void(kind[:], kind[:], wide[:]), cc=(8, 7))
        assert instruction in ptx, ptx
    print(f"{kernel.__name__} {out[0]:.0f}")
PYTHON
NUMBA_ENABLE_CUDASIM=1 venv/bin/python -W ignore kernels.py simulated | tee simulated
venv/bin/python kernels.py compiled | tee compiled
[[ $(head -2 simulated | xargs) == "mean 22 place -1294967296" ]]
[[ $(xargs < compiled) == "mean 150 place 3000000000 total 700000" ]]
awk '$1 == "total" && ($2 < 697000) {found = 1} END {exit !found}' simulated
