#!/usr/bin/env bash
# MyHDL's Verilog divides and shifts otherwise than its own simulation: floor becomes truncation, and a product is cut.
#
# Expected: what `convert` writes computes what was simulated; where it cannot, it refuses, as it does for `/`.
# Seen (myhdl 0.11.52, run by iverilog): `a // 4` of a signed signal floors in the simulation (-6 gives -2) and is
# written as `a / 4`, which truncates (-1); `a % 5` is 4 for -6 and then -1. `(a * b) >> 3`, the usual way to scale a
# product, is put into $signed(), which cuts it to the width of `a` first: 77 * 4 gives 38 and then 6, though the result
# has 21 bits. `~u` of eight bits is positive in the simulation and negative in the wider result. Without a warning each.
# `a >> 2` and comparisons are the same in both, and so is `(a * b) >> 3` by way of a signal of its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
command -v iverilog > /dev/null || apt-get install -y -qq --no-install-recommends iverilog > /dev/null
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q myhdl==0.11.52
cd "$folder"
iverilog -V 2> /dev/null | sed -n 1p
cat > cases.py <<'PYTHON'
import importlib
import random
import subprocess
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

from myhdl import Signal, StopSimulation, block, delay, instance, intbv

UNIT = "from myhdl import *\n@block\ndef unit(a, b, u, out):\n    @always_comb\n    def logic(): out.next = {}\n    return logic\n"
DIFFER = {"a // 4", "a % 5", "(a * b) >> 3", "~u"}
warnings.filterwarnings("error")
warnings.filterwarnings("ignore", "Port is not used")  # nor are they: each case is an expression
random.seed(0)
values = [(-6, 3, 27), (77, 4, 66)] + [tuple(random.randrange(x, x + 256) for x in (-128, -128, 0)) for _ in range(200)]


def ports():
    signed = [Signal(intbv(0, min=-128, max=128)) for _ in range(2)]
    return *signed, Signal(intbv(0)[8:]), Signal(intbv(0, min=-(2**20), max=2**20))


def simulate(unit):
    found, (a, b, u, out) = [], ports()

    @block
    def bench():
        inside = unit(a, b, u, out)

        @instance
        def drive():
            for a.next, b.next, u.next in values:
                yield delay(1)
                found.append(int(out))
            raise StopSimulation

        return inside, drive

    bench().run_sim(quiet=1)
    return found


def verilog(unit, name):
    unit(*ports()).convert(hdl="Verilog", name=name, testbench=False)
    steps = "".join(f'a={a}; b={b}; u={u}; #1 $display("%0d", out);' for a, b, u in values)
    Path("t.v").write_text(
        "module t; reg signed [7:0] a, b; reg [7:0] u; wire signed [20:0] out;"
        f"{name} unit(.a(a), .b(b), .u(u), .out(out)); initial begin {steps} end endmodule"
    )
    subprocess.run(["iverilog", "-g2005", "-o", name + ".vvp", name + ".v", "t.v"], check=True)
    return [int(x) for x in subprocess.run(["vvp", name + ".vvp"], capture_output=True, check=True).stdout.split()]


print("myhdl", version("myhdl"))
differ = set()
for number, what in enumerate(("a // 4", "a % 5", "(a * b) >> 3", "~u", "a >> 2", "a > u", "a * b")):
    Path(f"unit{number}.py").write_text(UNIT.format(what))
    unit = importlib.import_module(f"unit{number}").unit
    pairs = list(zip(simulate(unit), verilog(unit, f"v{number}"), strict=True))
    print(f"{what:13} of {values[0]} and {values[1]}, simulated and as Verilog: {pairs[0]} {pairs[1]}")
    differ |= {what} if any(x != y for x, y in pairs) else set()
sys.exit(0 if differ == DIFFER else f"this has changed: {differ}")
PYTHON
venv/bin/python cases.py
echo "as found"
