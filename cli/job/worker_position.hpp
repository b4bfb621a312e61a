// What several workers of one input store: a plan, under the input's name, and for each worker how far it came, under a
// name of its own, so that their commits do not wait for each other's row.
//
// A worker's place is a number among all units of the input; a unit is done if it is its worker's and not behind that
// place. The sum covers the worker's own units only: a unit that was refused can be mended though other workers are past it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "job/planned_unit.hpp"
#include "job/position.hpp"

namespace write_aside::cli {

inline constexpr std::uint32_t workers_max = 64;

// Which worker's unit it is: by its ordering key, else by its line. An interrupted run goes on by this rule, so it stays.
[[nodiscard]] std::uint32_t worker_of(const PlannedUnit& unit, std::uint32_t workers);

// Stored from the run's beginning until every unit of the input is done.
struct Plan {
  std::uint32_t workers = 1;
  std::uint64_t run = 0;  // drawn anew by every run that goes on with the plan: it shuts the others out
  Position start;         // where the workers began
  bool operator==(const Plan&) const = default;
};

struct WorkerPosition {
  std::uint32_t worker = 0;  // from 0
  std::uint64_t run = 0;
  std::uint64_t units = 0;  // number of its last unit among all of the input, from 1; at first, of the plan's start
  std::uint64_t own = 0;    // its own units up to there, since the plan's start
  std::uint64_t line = 0;   // where the last one ended
  std::uint64_t sum = Mark{}.sum;  // FNV-1a of their texts, each with a line end
  std::uint64_t rejected = 0;      // those of them that were rejected and passed over
  std::vector<LaneNumber> lanes;
  bool operator==(const WorkerPosition&) const = default;
};

// "v1 plan=4 run=0123456789abcdef units=3 line=3 …": the position where it began
[[nodiscard]] std::string to_text(const Plan& plan);
// "v1 worker=2 run=0123456789abcdef units=17 own=4 line=17 sum=0123456789abcdef rejected=0 lanes=0"
[[nodiscard]] std::string to_text(const WorkerPosition& position);
// None: not a text of ours, or of a newer version.
[[nodiscard]] std::optional<Plan> parse_plan(std::string_view text);
[[nodiscard]] std::optional<WorkerPosition> parse_worker_position(std::string_view text);

// "SOURCE#2"
[[nodiscard]] std::string worker_source(std::string_view source, std::uint32_t worker);

}  // namespace write_aside::cli
