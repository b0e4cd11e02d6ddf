// A board in simulation: bytes of standard input go into the RTL, its bytes to standard output.
//
//   board [CYCLES [BYTES]]    CYCLES from one byte to the next at the least, as a line of that rate
//                             has, once BYTES have come
//
// Time stands still while nothing comes in and the board has been quiet for a while.
#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "Vlink.h"
#include "verilated.h"

static constexpr int QUIET_CYCLES = 2000;
static constexpr int POLL_CYCLES = 512;

int main(int argc, char** argv) {
  const long of_the_line = argc > 1 ? std::atol(argv[1]) : 0;
  long at_once = argc > 2 ? std::atol(argv[2]) : 0;
  VerilatedContext context;
  Vlink link{&context};
  uint8_t in[4096], out[256];
  ssize_t have = 0, at = 0, pending = 0;
  long quiet = 0, next_byte = 0, next_out = 0, until_poll = 0, now = 0;
  const auto flush = [&] {
    for (ssize_t done = 0; done < pending;) {
      const ssize_t n = write(STDOUT_FILENO, out + done, pending - done);
      if (n <= 0) std::exit(0);  // nobody listens any more
      done += n;
    }
    pending = 0;
  };
  const auto spacing = [&] { return at_once > 0 ? 0 : of_the_line; };
  const auto edge = [&] {
    link.clk = 1;
    link.eval();
    link.clk = 0;
    link.eval();
    ++now;
  };
  link.rst = 1;
  for (int i = 0; i < 4; ++i) edge();
  link.rst = 0;
  for (;;) {
    if (at == have && until_poll-- <= 0) {
      const bool sleep = quiet > QUIET_CYCLES;
      pollfd ready{STDIN_FILENO, POLLIN, 0};
      flush();
      if (poll(&ready, 1, sleep ? -1 : 0) > 0) {
        have = read(STDIN_FILENO, in, sizeof in);
        at = 0;
        if (have <= 0) return 0;  // the cable is out
      }
      until_poll = POLL_CYCLES;
    }
    link.valid_in = at < have && now >= next_byte;
    if (link.valid_in) link.data_in = in[at];
    link.ready_out = now >= next_out;
    link.eval();
    if (link.valid_in && link.ready_in) {
      ++at;
      if (at_once > 0) --at_once;
      next_byte = now + spacing();
      quiet = 0;
    }
    if (link.valid_out && link.ready_out) {
      out[pending++] = link.data_out;
      next_out = now + spacing();
      quiet = 0;
      if (pending == sizeof out) flush();
    }
    quiet = link.idle ? quiet + 1 : 0;  // its last answer is still to come when it turns idle
    edge();
  }
}
