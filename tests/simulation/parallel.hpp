// Many runs on several child processes, which share counters and nothing else: a run that crashes or never ends takes
// one child with it, and is named.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "simulation/random_run.hpp"

namespace write_aside::simulation {

struct ManyRuns {
  std::uint64_t runs = 0;
  Counts counts = {};
  std::uint64_t fingerprint = 0;  // of all runs; their order does not matter
  double seconds = 0;
  std::string wrong = {};  // the first violation, a crash, or a run without an end
  std::uint64_t wrong_number = 0;
};

// Plays `play(number)` for `count` numbers from `first` on, until one is wrong. `name`: of what is played, for the
// progress line.
[[nodiscard]] ManyRuns play_many(std::uint64_t first, std::uint64_t count, unsigned jobs, const std::string& name,
                                 const std::function<RunReport(std::uint64_t)>& play);

}  // namespace write_aside::simulation
