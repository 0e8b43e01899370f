#include "torquant/cli/interrupt.h"

#include <csignal>
#include <cstdlib>

namespace torquant::cli {
namespace {

volatile std::sig_atomic_t received = 0;

void remember(int signal) {
  received = signal;
  std::signal(signal, SIG_DFL);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  received = 0;
  std::signal(SIGINT, remember);
  std::signal(SIGTERM, remember);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

void InterruptGuard::check(const std::string& after) const {
  if (received != 0) throw Interrupted{.signal = received, .after = after};
}

void end_by_signal(int signal) {
  std::signal(signal, SIG_DFL);
  std::raise(signal);
  std::abort();  // never reached: the default of both signals ends the process
}

}  // namespace torquant::cli
