#include "job/cursor.hpp"

#include <algorithm>
#include <utility>

namespace write_aside::cli {
namespace {

void move(Position& position, std::span<const PlannedUnit* const> units) {
  position.mark = units.back()->after;
  position.units += units.size();
}

void move(WorkerPosition& position, std::span<const PlannedUnit* const> units) {
  position.units = units.back()->number;
  position.own += units.size();
  position.line = units.back()->after.line;
  position.sum = units.back()->own_sum;
}

}  // namespace

const std::vector<LaneNumber>& Cursor::lanes() const {
  return std::visit([](const auto& place) -> const std::vector<LaneNumber>& { return place.lanes; }, place_);
}

std::uint64_t Cursor::rejected() const {
  return std::visit([](const auto& place) { return place.rejected; }, place_);
}

Cursor::Place Cursor::after(std::span<const PlannedUnit* const> units, std::vector<LaneNumber> lanes) const {
  Place next = place_;
  std::visit(
      [&](auto& place) {
        move(place, units);
        place.rejected += static_cast<std::uint64_t>(std::count_if(
            units.begin(), units.end(), [](const PlannedUnit* unit) { return unit->refusal.has_value(); }));
        place.lanes = std::move(lanes);
      },
      next);
  return next;
}

void Cursor::move_to(Place place) {
  stored_ = to_text(place);
  place_ = std::move(place);
}

std::string to_text(const Cursor::Place& place) {
  return std::visit([](const auto& one) { return to_text(one); }, place);
}

}  // namespace write_aside::cli
