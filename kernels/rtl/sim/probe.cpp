// Some cycles of the cells of `probe.py`; what they sum up to, now and then.
//
//   probe CYCLES
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "Vprobe.h"
#include "verilated.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const long cycles = std::atol(argv[1]);
  VerilatedContext context;
  Vprobe probe{&context};
  for (long i = 1; i <= cycles; ++i) {
    probe.clk = 1;
    probe.eval();
    probe.clk = 0;
    probe.eval();
    if (i % (cycles / 8) == 0) std::printf("%016" PRIx64 "\n", (uint64_t)probe.signature);
  }
  return 0;
}
