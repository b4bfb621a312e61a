// SIGINT and SIGTERM: the first asks the program to stop after the current unit, the second ends it at once.
//
// One per process, because signals are. Safe from many threads after install().
#pragma once

#include "exit_status.hpp"

#include <chrono>

namespace write_aside::cli::interruption {

void install();

// Has a signal asked us to stop?
[[nodiscard]] bool requested();
// 130 or 143; only meaningful when requested().
[[nodiscard]] ExitStatus exit_status();
// Becomes readable with the first signal, for poll().
[[nodiscard]] int descriptor();
// Waits until the time is over or a signal arrives.
void wait_for(std::chrono::milliseconds time);

}  // namespace write_aside::cli::interruption
