// How far a named input was applied: the text that a unit stores with its own rows (UnitOfWork::advance).
//
// It names the lanes whose units must be settled before anything later is published, and holds a checksum of every byte up
// to here, so that a rerun notices an input that is no longer the same. What several workers store: worker_position.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "write_aside/unit_id.hpp"

namespace write_aside::cli {

// A place between two records of the input.
struct Mark {
  std::uint64_t line = 0;                  // lines that ended before here; the end of the input ends one too
  std::uint64_t offset = 0;                // bytes before here
  std::uint64_t sum = 0xcbf29ce484222325;  // of those bytes: sum * 0x9e3779b97f4a7c15 + byte + 1 for each
  bool operator==(const Mark&) const = default;

  // Moves over these bytes.
  void pass(std::string_view bytes);
};

// FNV-1a of what `sum` is of already, followed by these bytes.
[[nodiscard]] std::uint64_t sum_with(std::uint64_t sum, std::string_view bytes);

struct Position {
  Mark mark;
  std::uint64_t units = 0;     // records before the mark
  std::uint64_t rejected = 0;  // those of them that were rejected and passed over
  std::vector<LaneNumber> lanes;
  std::uint32_t workers = 1;  // the most that ever applied a part of it: with several, only ordering keys order events
  bool operator==(const Position&) const = default;
};

// "v1 units=3 line=3 offset=120 sum=0123456789abcdef rejected=0 lanes=0,2", then " workers=4" if there were several
[[nodiscard]] std::string to_text(const Position& position);
// None: not a text of ours, or of a newer version.
[[nodiscard]] std::optional<Position> parse_position(std::string_view text);

}  // namespace write_aside::cli
