#!/usr/bin/env bash
# NNgen's eval() knows no width and rounds halves up: it gives 109 or 200 where the Verilog, made of the same graph, gives -19 or -56.
#
# Expected: ng.eval is what the README checks the hardware against, so it gives what the Verilog gives, to the bit; or what a layer
# of 8 bits cannot hold is refused.
# Seen (nngen 1.3.4, veriloggen 2.3.0, run by iverilog): eval sums and keeps 64 bits whatever dtype says; the Verilog has as
# many as the wider of input and output. avg_pool of int8 to int8 without sum_dtype sums in 8 bits: the mean of 100, 120, 90 and
# 127, which fits, is -19. A sum of int8 that is 260 by eval is 4, 100 + 100 is -56 and by eval 200, which int8 does not have.
# rshift_round takes -7 / 2 to -3 by eval and to -4 in Verilog, as all halves below 0. Nothing is said. With sum_dtype=int32 (as
# from_onnx sets it) and a dtype that holds the result both agree, but for the halves.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
command -v iverilog > /dev/null || apt-get install -y -qq --no-install-recommends iverilog > /dev/null
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q nngen==1.3.4 veriloggen==2.3.0 pyverilog==1.3.0 numpy==2.4.6
cd "$folder"
cat > compare.py <<'PYTHON'
import math
import sys
from importlib.metadata import version

import nngen as ng
import numpy as np
import veriloggen.thread as vthread
from veriloggen import Delay, Module, Not, Systask, simulation
from veriloggen.types import axi

BITS = 32  # of the bus


def both(name, layer, values):
    """Return what eval gives and what the simulated Verilog writes to its memory."""
    given = ng.placeholder(ng.int8, shape=values.shape, name="given")
    out = layer(given)
    design = ng.to_veriloggen([out], name, silent=True, config={"maxi_datawidth": BITS})
    evaluated = ng.eval([out], given=values)[0]
    work = max(given.addr, out.addr) + math.ceil(max(given.memory_size, out.memory_size) / 4096) * 4096
    memory_image = np.zeros(16384, np.int64)
    axi.set_memory(memory_image, values, BITS, given.dtype.width, given.addr, BITS // given.dtype.width)
    bench = Module("bench")
    ports = bench.copy_sim_ports(design)
    clock, ready, reset = ports["CLK"], ports["RESETN"], bench.Wire("RST")
    reset.assign(Not(ready))
    image = dict(memimg=memory_image, memimg_name=f"{name}.memory", memimg_datawidth=BITS)
    memory = axi.AxiMemoryModel(bench, "memory", clock, reset, datawidth=BITS, **image)
    memory.connect(ports, "maxi")
    control = vthread.AXIMLite(bench, "control", clock, reset, noio=True)
    control.connect(ports, "saxi")
    rows, columns, stored = math.prod(out.shape[:-1]), out.shape[-1], out.aligned_shape[-1]
    address, width = out.addr, out.dtype.width

    def run():
        for _ in range(100):
            pass
        ng.sim.set_global_addrs(control, work)
        ng.sim.start(control)
        ng.sim.wait(control)
        for row in range(rows):
            for column in range(columns):
                print("wrote", memory.read_word(row * stored + column, address, width))
        vthread.finish()

    vthread.Thread(bench, "run", clock, reset, run).start()
    bench.Instance(design, "under_test", ports=bench.connect_ports(design))
    simulation.setup_clock(bench, clock, hperiod=5)
    start = simulation.setup_reset(bench, ready, bench.make_reset(), period=100, polarity="low")
    start.add(Delay(1000000), Systask("finish"))
    said = simulation.Simulator(bench, sim="iverilog").run(outputfile=f"{name}.out")
    words = [int(line.split()[1]) % 2**width for line in said.splitlines() if line.startswith("wrote")]
    return evaluated.ravel().tolist(), [word - 2**width if word >= 2 ** (width - 1) else word for word in words]


def pool(**sum_dtype):
    return lambda x: ng.avg_pool(x, ksize=(1, 2, 2, 1), strides=(1, 2, 2, 1), dtype=ng.int8, **sum_dtype)


def total(dtype):
    return lambda x: ng.reduce_sum(x, axis=1, keep_dims=True, dtype=dtype)


picture = np.array([100, 120, 3, 2, 90, 127, 1, 2]).reshape(1, 2, 4, 1)
row = np.array([[50, 60, 70, 80]])
halves = np.array([[-7, -5, -3, -1, 1, 3, 5, 7]])
one = ng.ones_imm((1, 8), dtype=ng.int8)
CASES = {
    "mean": (pool(), picture, [109, 2], [-19, 2]),
    "mean_32": (pool(sum_dtype=ng.int32), picture, [109, 2], [109, 2]),
    "total": (total(ng.int8), row, [260], [4]),
    "total_32": (total(ng.int32), row, [260], [260]),
    "twice": (lambda x: ng.add(x, x, dtype=ng.int8), np.array([[100, -100]]), [200, -200], [-56, 56]),
    "half": (lambda x: ng.rshift_round(x, one, dtype=ng.int8), halves, [-3, -2, -1, 0, 1, 2, 3, 4], [-4, -3, -2, -1, 1, 2, 3, 4]),
}
print(*(f"{name} {version(name)}" for name in ("nngen", "veriloggen", "pyverilog", "numpy")))
wrong = False
for name, (layer, values, by_eval, by_verilog) in CASES.items():
    found = both(name, layer, values)
    print(f"{name} of {values.ravel()}: eval {found[0]}, Verilog {found[1]}", flush=True)
    wrong |= found != (by_eval, by_verilog)
sys.exit(wrong)
PYTHON
iverilog -V 2> /dev/null | sed -n 1p
venv/bin/python compare.py 2> log || { cat log; echo changed; exit 1; }
echo "as found"
