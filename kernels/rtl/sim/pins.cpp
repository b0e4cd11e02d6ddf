// The whole top at its pins, spoken to at the rate of a line, and when each answer was whole.
//
//   pins uart DIVISOR      cycles of a bit
//   pins spi HALF          cycles of half a bit
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

static void uart(const std::vector<uint8_t>& bytes, long divisor) {
  size_t at = 0;
  long sent = 0, got = -1, last = 0;
  int came = 0;
  while (at < bytes.size() || now < last + SETTLE) {
    if (at < bytes.size()) {
      const long bit = sent / divisor;
      top->ftdi_txd = bit == 0 ? 0 : bit <= 8 ? bytes[at] >> (bit - 1) & 1 : 1;
      if (++sent == 10 * divisor) {
        sent = 0;
        ++at;
        last = now;
      }
    }
    edge();
    if (got < 0 && !top->ftdi_rxd) {
      got = 0;
      came = 0;
    } else if (got >= 0) {
      ++got;
      const long bit = got / divisor;
      if (got % divisor == divisor / 2 && bit >= 1 && bit <= 8) came |= top->ftdi_rxd << (bit - 1);
      if (got == 9 * divisor + divisor / 2) {
        tell(came);
        got = -1;
      }
    }
  }
}

static void spi(const std::vector<uint8_t>& bytes, long half) {
  top->spi_cs_n = 0;
  for (int i = 0; i < 8; ++i) edge();
  long last = 0;
  for (size_t at = 0; at < bytes.size() || now < last + SETTLE; ++at) {
    const int byte = at < bytes.size() ? bytes[at] : END;
    int came = 0;
    for (int bit = 7; bit >= 0; --bit) {
      top->spi_mosi = byte >> bit & 1;
      for (long i = 0; i < half; ++i) edge();
      came = came << 1 | top->spi_miso;
      top->spi_sck = 1;
      for (long i = 0; i < half; ++i) edge();
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
  (std::strcmp(argv[1], "spi") ? uart : spi)(bytes, std::atol(argv[2]));
  return 0;
}
