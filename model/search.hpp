// Visits every state that can be reached within the bounds, nearest first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rules.hpp"
#include "state.hpp"

namespace write_aside::model {

struct Search {
  std::uint64_t states = 0;
  std::uint64_t moves = 0;
  std::uint64_t ends = 0;  // states without a successor
  int depth = 0;           // of the last state; of the violation, if there is one: the shortest counterexample
  bool complete = false;   // nothing was left out for want of memory
  Violation violation = Violation::none;
  std::vector<std::string> trace;  // how to get there
  // No state is reached twice in one run, so every run, however unfair, comes to an end. Only if asked for.
  bool always_ends = false;
};

// Stops at the first violation, or after `states_max` states.
[[nodiscard]] Search search(const Settings& settings, std::uint64_t states_max, bool check_that_runs_end);

}  // namespace write_aside::model
