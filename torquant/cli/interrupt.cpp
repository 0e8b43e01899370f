#include "torquant/cli/interrupt.h"

#include <csignal>
#include <cstdlib>

namespace torquant::cli {
namespace {

volatile std::sig_atomic_t received_signal = 0;

void remember(int signal) {
  received_signal = signal;
  std::signal(signal, SIG_DFL);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  received_signal = 0;
  std::signal(SIGINT, remember);
  std::signal(SIGTERM, remember);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool InterruptGuard::received() const { return received_signal != 0; }

void InterruptGuard::end(const std::string& after, const std::string& kept) const {
  throw Interrupted{.signal = received_signal, .after = after, .kept = kept};
}

void end_by_signal(int signal) {
  std::signal(signal, SIG_DFL);
  std::raise(signal);
  std::abort();  // never reached: the default of both signals ends the process
}

}  // namespace torquant::cli
