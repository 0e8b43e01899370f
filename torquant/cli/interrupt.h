#pragma once

#include <string>

namespace torquant::cli {

// The user's Ctrl-C (SIGINT) or an end that the system asks for (SIGTERM).
struct Interrupted {
  int signal;
  std::string after;  // what was done until then: "12 of 32 samples"
  std::string kept;   // what is left of it: "nothing was written", or where it is and how to go on
};

// While one lives, the first SIGINT or SIGTERM is only remembered, so that no file stays half written; a second one
// ends the process at once.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  bool received() const;
  // Once a signal was received.
  [[noreturn]] void end(const std::string& after, const std::string& kept) const;
};

// Ends the process as an unhandled signal would: a shell that runs it in a loop ends too.
[[noreturn]] void end_by_signal(int signal);

}  // namespace torquant::cli
