// Which process this is, and whether another one is dead: the facts of /proc, read with care.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "write_aside/ports/runtime.hpp"

namespace write_aside::core {

// The fields of /proc/PID/stat that tell one life of a pid from another.
struct ProcessStat {
  char state = '?';
  std::uint64_t threads = 0;
  std::uint64_t start_time = 0;  // clock ticks since boot
};
// None: not in the form that proc(5) describes. The program's own name, in parentheses, may hold any characters.
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(std::string_view text);

// This process. What cannot be read stays empty or 0, and then nothing is ever proven with it.
[[nodiscard]] ports::ProcessIdentity this_process();

// True only on proof, see Runtime::is_dead.
[[nodiscard]] bool is_proven_dead(const ports::ProcessIdentity& identity);

}  // namespace write_aside::core
