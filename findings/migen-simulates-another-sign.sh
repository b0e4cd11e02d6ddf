#!/usr/bin/env bash
# In Migen's simulation the difference of two unsigned signals can be below zero; in the Verilog of the same it never is.
#
# Expected: what `convert` writes computes what `run_simulation` computed; Verilog's own rules of signs are known to whoever
# writes Verilog, and Migen's documentation has signals behave as integers until they are assigned.
# Seen (migen 0.10.0, run by iverilog): the simulator computes in Python's integers, the Verilog is the bare expression. So
# Mux((u - v) < 0, v - u, u - v), a distance of two pixels, is right in simulation, and in hardware 255 - 250 and 250 - 255 are
# 5 and -5, which is 251 of 8 bits; (u - v) < threshold is false for all that lies below. (~u) >> 1 is negative simulated, and
# (u - 1) >> 1 of 0 is -1 and 2**19 - 1 of 20 bits. An Array that holds a signed and an unsigned signal gives 201 of the
# latter simulated and -55 as Verilog. Nothing is said. What is first assigned to a signed signal is the same in both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q migen==0.10.0
cd "$folder"
iverilog -V 2> /dev/null | sed -n 1p
cat > cases.py <<'PYTHON'
import random
import subprocess
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

from migen import Array, Module, Mux, Signal, run_simulation
from migen.fhdl.verilog import convert

warnings.filterwarnings("error", module="migen.fhdl.verilog")
random.seed(0)
values = [(250, 255, -3), (255, 250, -3), (0, 201, -3)]
values += [(random.randrange(256), random.randrange(256), random.randrange(-128, 128)) for _ in range(200)]


class Unit(Module):
    def __init__(self):
        self.u = u = Signal(8, name="u")
        self.v = v = Signal(8, name="v")
        self.s = s = Signal((8, True), name="s")
        held, self.out = Signal((9, True), name="held"), {}
        self.comb += held.eq(u - v)
        for number, (name, what) in enumerate(
            {
                "Mux((u - v) < 0, v - u, u - v)": Mux((u - v) < 0, v - u, u - v),
                "(u - v) < 10": (u - v) < 10,
                "(~u) >> 1": (~u) >> 1,
                "(u - 1) >> 1": (u - 1) >> 1,
                "Array([s, u, v])[v[0:2]]": Array([s, u, v])[v[0:2]],
                "Mux(held < 0, -held, held)": Mux(held < 0, -held, held),
                "held >> 1": held >> 1,
                "u < v": u < v,
                "s < u": s < u,
                "s + u": s + u,
                "s * u": s * u,
            }.items()
        ):
            self.out[name] = Signal((20, True), name=f"o{number}")
            self.comb += self.out[name].eq(what)


DIFFER = {"Mux((u - v) < 0, v - u, u - v)", "(u - v) < 10", "(~u) >> 1", "(u - 1) >> 1", "Array([s, u, v])[v[0:2]]"}
print("migen", version("migen"))
simulated, unit = [], Unit()


def drive():
    for u, v, s in values:
        yield unit.u.eq(u)
        yield unit.v.eq(v)
        yield unit.s.eq(s)
        yield
        row = []
        for out in unit.out.values():
            row.append((yield out))
        simulated.append(row)


run_simulation(unit, drive())
other = Unit()
Path("unit.v").write_text(str(convert(other, {other.u, other.v, other.s, *other.out.values()}, name="unit")))
outs = [f"o{number}" for number in range(len(unit.out))]
show = f'$display("{" ".join(["%0d"] * len(outs))}", {", ".join(outs)});'
steps = "".join(f"u={u}; v={v}; s={s}; #1 {show}\n" for u, v, s in values)
Path("t.v").write_text(
    f"module t; reg [7:0] u, v; reg signed [7:0] s; wire signed [19:0] {', '.join(outs)};"
    f"unit unit(.u(u), .v(v), .s(s), {', '.join(f'.{o}({o})' for o in outs)}); initial begin {steps} end endmodule"
)
subprocess.run(["iverilog", "-g2005", "-o", "t.vvp", "unit.v", "t.v"], check=True)
said = subprocess.run(["vvp", "t.vvp"], capture_output=True, check=True, text=True).stdout.splitlines()
written = [[int(x) for x in line.split()] for line in said]
differ = set()
for name, mine, its in zip(unit.out, zip(*simulated, strict=True), zip(*written, strict=True), strict=True):
    pairs = list(zip(mine, its, strict=True))
    print(f"{name:31} of {values[:3]}, simulated and as Verilog: {pairs[:3]}")
    differ |= {name} if any(x != y for x, y in pairs) else set()
sys.exit(0 if differ == DIFFER else f"this has changed: {differ}")
PYTHON
venv/bin/python cases.py
echo "as found"
