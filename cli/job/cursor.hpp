// Where one worker of a job stands, and how that is stored: the only worker of an input has the whole input's position, one
// of several has its own.
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "job/position.hpp"
#include "job/worker_position.hpp"

namespace write_aside::cli {

class Cursor {
 public:
  using Place = std::variant<Position, WorkerPosition>;

  // `stored`: the place as its row has it, none if there is no row yet.
  Cursor(std::string source, std::optional<std::string> stored, Place place)
      : source_(std::move(source)), stored_(std::move(stored)), place_(std::move(place)) {}

  // The name of the row.
  [[nodiscard]] const std::string& source() const { return source_; }
  [[nodiscard]] const std::optional<std::string>& stored() const { return stored_; }
  // Lanes that carried units up to here and may not be settled.
  [[nodiscard]] const std::vector<LaneNumber>& lanes() const;
  [[nodiscard]] std::uint64_t rejected() const;

  // The place behind these units, carried by these lanes.
  [[nodiscard]] Place after(std::span<const PlannedUnit* const> units, std::vector<LaneNumber> lanes) const;
  // It is committed.
  void move_to(Place place);

 private:
  std::string source_;
  std::optional<std::string> stored_;
  Place place_;
};

[[nodiscard]] std::string to_text(const Cursor::Place& place);

}  // namespace write_aside::cli
