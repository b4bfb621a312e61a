// A lane in one word, as `status`, `recover` and `resolve` name it.
#pragma once

#include <string_view>

#include "write_aside/coordinator.hpp"
#include "write_aside/ports/database.hpp"
#include "write_aside/ports/runtime.hpp"

namespace write_aside::cli {

[[nodiscard]] inline std::string_view lane_state(const ports::LaneRow& row) {
  if (!row.halted.empty()) return "halted";
  if (row.owner.empty()) return "free";
  const auto process = ports::parse_process_identity(row.owner_process);
  if (process && ports::system_runtime().is_dead(*process)) return "dead";
  if (row.heartbeat_age > CoordinatorOptions{}.lease) return "silent";
  return "owned";
}

}  // namespace write_aside::cli
