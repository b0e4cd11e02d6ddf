#!/usr/bin/env bash
# APyTypes adds the small numbers of one float format to another format's as twice what they are, or as nothing.
#
# Expected: APyFloat models floats of any exponent and mantissa bit by bit, for hardware. 2**-7, which E4M3 (FP8) has below its
# smallest normal number, plus the 0 or the 1 of a wider format that has 2**-7 too is exact; so is a cast of E5M2 to half.
# Seen (apytypes 0.5.1): in a sum of two formats the subnormal numbers of the one that is converted count double, less what
# overflows: of E4M3, 2**-9 counts as 2**-8 and 2**-7 as 0 or next to it, beside half, bfloat16 and float32 alike, scalar or
# array, + and -. An array that is cast to a longer mantissa with as wide an exponent (E5M2 to half, bfloat16 to float32) has
# the same, where a scalar is right. Right are sums of one format, products, and sums of scalars that were cast before. So
# an accumulator in float32 behind FP8 doubles or loses its smallest values, without a word, and it looks like rounding.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q apytypes==0.5.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from apytypes import APyFloat, APyFloatArray

print("apytypes", version("apytypes"), "; 1, 2, 3 ... times the smallest number of FP8, or of the form that is named:")
FP8, E5M2, HALF, BFLOAT, FLOAT = (4, 3), (5, 2), (5, 10), (8, 7), (8, 23)


def subnormals(form: tuple[int, int]) -> list[APyFloat]:
    return [APyFloat(0, 0, mantissa, *form) for mantissa in range(1, 2 ** form[1])]


def doubled(form: tuple[int, int]) -> list[float]:
    smallest_normal = float(APyFloat(0, 1, 0, *form))
    return [2 * float(x) % smallest_normal for x in subnormals(form)]


failed = False


def see(what: str, seen: list[float], form: tuple[int, int], wrong: bool) -> None:
    global failed
    right = [float(x) for x in subnormals(form)]
    print(f"{what}: {', '.join(f'{s / right[0]:.2g}' for s in seen[:7])}; wrong are {sum(map(float.__ne__, seen, right))}")
    # half of the smallest normal number becomes 0, or less than a thousandth of itself
    failed |= any(abs(s - d) > r / 1000 for s, d, r in zip(seen, doubled(form), right)) if wrong else seen != right


for other in (HALF, BFLOAT, FLOAT):
    zero, one = (APyFloat.from_float(x, *other) for x in (0, 1))
    see(f"FP8 + 0 of {other}", [float(x + zero) for x in subnormals(FP8)], FP8, wrong=True)
    if other != BFLOAT:
        see(f"FP8 + 1 of {other}, - 1", [float(x + one) - 1 for x in subnormals(FP8)], FP8, wrong=True)
        see(f"1 of {other} - FP8", [1 - float(one - x) for x in subnormals(FP8)], FP8, wrong=True)
    see(f"FP8, cast, + 0 of {other}", [float(x.cast(*other) + zero) for x in subnormals(FP8)], FP8, wrong=False)
    see(f"FP8 * 1 of {other}", [float(x * one) for x in subnormals(FP8)], FP8, wrong=False)
see("FP8 + 0 of FP8", [float(x + APyFloat(0, 0, 0, *FP8)) for x in subnormals(FP8)], FP8, wrong=False)


def array(form: tuple[int, int]) -> APyFloatArray:
    many = subnormals(form)
    return APyFloatArray([0] * len(many), [0] * len(many), range(1, len(many) + 1), *form)


zeros = APyFloatArray([0] * 7, [0] * 7, [0] * 7, *FLOAT)
see("array of FP8 + zeros of (8, 23)", [float(x) for x in array(FP8) + zeros], FP8, wrong=True)
for form, wider, wrong in ((E5M2, HALF, True), (BFLOAT, FLOAT, True), (FP8, HALF, False)):
    see(f"array of {form} cast to {wider}", [float(x) for x in array(form).cast(*wider)], form, wrong)
    see(f"scalars of {form} cast to {wider}", [float(x.cast(*wider)) for x in subnormals(form)], form, wrong=False)
if failed:
    sys.exit("this has changed")
PYTHON
echo "as found"
