// The names that the protocol gives to units and batches (docs/protocol.md, section 2).
//
// Plain data, ordered as the protocol orders them.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace write_aside {

using LaneNumber = std::uint32_t;

// A batch of a lane, and the label of a journal row: one stream transaction. Ordered as a pair.
struct BatchId {
  std::uint64_t epoch = 0;
  std::uint64_t n = 0;
  auto operator<=>(const BatchId&) const = default;
};

// The primary key of a unit in the journal, set when it first joins a batch; it never changes.
// Within a lane the order of keys is the order of joining.
struct UnitId {
  LaneNumber lane = 0;
  std::uint64_t epoch = 0;
  std::uint64_t n = 0;
  std::uint32_t member = 0;
  auto operator<=>(const UnitId&) const = default;
};

// "LANE.EPOCH.N.MEMBER", as in the header `wa-unit` and in every message of the program.
[[nodiscard]] std::string to_string(const UnitId& id);
[[nodiscard]] std::optional<UnitId> parse_unit_id(std::string_view text);

}  // namespace write_aside
