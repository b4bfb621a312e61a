#include "interruption.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>

namespace write_aside::cli::interruption {
namespace {

std::atomic<int> signal_seen{0};
std::array<int, 2> wake_pipe{-1, -1};

// Only async-signal-safe work happens here.
void on_signal(int number) {
  signal_seen.store(number);
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = write(wake_pipe[1], &byte, 1);
}

}  // namespace

void install() {
  // Without the pipe a signal still sets the flag; only a blocked read would notice it late.
  if (pipe2(wake_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) wake_pipe = {-1, -1};
  struct sigaction action {};
  action.sa_handler = on_signal;
  // A second signal finds the default action: whoever presses Ctrl-C twice does not want to wait. That is safe, as
  // SIGKILL is: the next run continues after the last committed unit.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A closed pipe is an error of write(), not the end of the process in the middle of a unit.
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigemptyset(&ignore.sa_mask);
  sigaction(SIGPIPE, &ignore, nullptr);
}

bool requested() { return signal_seen.load() != 0; }

ExitStatus exit_status() { return signal_seen.load() == SIGTERM ? ExitStatus::terminated : ExitStatus::interrupted; }

int descriptor() { return wake_pipe[0]; }

void wait_for(std::chrono::milliseconds time) {
  if (requested()) return;
  pollfd wake{descriptor(), POLLIN, 0};
  poll(&wake, 1, static_cast<int>(time.count()));
}

}  // namespace write_aside::cli::interruption
