// The crash scenario on the real embedded pair: process "a" commits units 1 to 3, process "b" takes over and commits
// unit 4, each with a crash at one of its port calls if asked for; then the oracle.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "simulation/scenario.hpp"

namespace write_aside::simulation {

struct Crash {
  std::size_t step;
  Fault::Kind kind;
};
inline constexpr Fault::Kind crash_kinds[] = {Fault::Kind::crash_before, Fault::Kind::crash_after};

struct CrashRun {
  std::string wrong;
  std::vector<std::string> first_steps;
  std::vector<std::string> second_steps;
};

// One for each different end of so many steps. What a process did between two of its calls is lost with it, so a crash
// before a call leaves the stores as a crash after the call before it does.
[[nodiscard]] std::vector<Crash> different_crashes(std::size_t step_count);

[[nodiscard]] CrashRun run_embedded(std::optional<Crash> first, std::optional<Crash> second);
[[nodiscard]] std::string describe(const Crash& crash, const std::vector<std::string>& steps);

}  // namespace write_aside::simulation
