// The whole top at its pins, spoken to at the rate of a line, and when each answer was whole.
//
//   pins uart CYCLES      of a bit: a number with a fraction, as the two clocks are their own
//   pins spi CYCLES
//
// All bytes of standard input go to the board one behind the other; SPI then goes on with END. For
// each byte that comes back, `CYCLE BYTE` goes to standard output; of an END behind an END, nothing.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "Vulx3s.h"
#include "verilated.h"

static constexpr int END = 0xC0;
static constexpr long SETTLE = 400000;  // cycles after the last byte: longer than a face takes

static Vulx3s* top;
static long now = 0;

static void edge() {
  top->clk_25mhz = 1;
  top->eval();
  top->clk_25mhz = 0;
  top->eval();
  ++now;
}

static void tell(int byte) {
  static int before = END;
  if (byte != END || before != END) std::printf("%ld %d\n", now, byte);
  before = byte;
}

static void uart(const std::vector<uint8_t>& bytes, double cycles) {
  const long start = now;
  size_t at = 0;
  long got = -1, last = 0;
  int came = 0, next = 1;
  while (at < bytes.size() || now < last + SETTLE) {
    const long sent = static_cast<long>((now - start) / cycles), bit = sent % 10;
    at = sent / 10;
    if (at < bytes.size()) {
      top->ftdi_txd = bit == 0 ? 0 : bit <= 8 ? bytes[at] >> (bit - 1) & 1 : 1;
      last = now;
    }
    edge();
    if (got < 0 && !top->ftdi_rxd) {
      got = now;
      came = 0;
      next = 1;
    } else if (got >= 0 && now - got >= (next + .5) * cycles) {  // the middle of a bit
      if (next <= 8) came |= top->ftdi_rxd << (next - 1);
      if (next++ == 9) {
        tell(came);
        got = -1;
      }
    }
  }
}

static void spi(const std::vector<uint8_t>& bytes, double cycles) {
  top->spi_cs_n = 0;
  for (int i = 0; i < 8; ++i) edge();
  const long start = now;
  long halves = 0;
  const auto wait = [&] {
    for (++halves; now < start + halves * cycles / 2;) edge();
  };
  long last = 0;
  for (size_t at = 0; at < bytes.size() || now < last + SETTLE; ++at) {
    const int byte = at < bytes.size() ? bytes[at] : END;
    int came = 0;
    for (int bit = 7; bit >= 0; --bit) {
      top->spi_mosi = byte >> bit & 1;
      wait();
      came = came << 1 | top->spi_miso;
      top->spi_sck = 1;
      wait();
      top->spi_sck = 0;
    }
    tell(came);
    if (at < bytes.size()) last = now;
  }
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::vector<uint8_t> bytes;
  for (int c; (c = std::getchar()) != EOF;) bytes.push_back(c);
  VerilatedContext context;
  Vulx3s design{&context};
  top = &design;
  top->ftdi_txd = 1;
  top->spi_cs_n = 1;
  for (int i = 0; i < 100; ++i) edge();
  (std::strcmp(argv[1], "spi") ? uart : spi)(bytes, std::atof(argv[2]));
  return 0;
}
