// Deals the units of an input to its workers, and passes over what each of them has done in an earlier run. Pure.
//
// Units with the same ordering key go to the same worker, in the order of the input (worker_of). A worker's sum is compared
// where its place is passed: an input that is no longer the same up to there is noticed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "job/planned_unit.hpp"
#include "job/worker_position.hpp"

namespace write_aside::cli {

class Dealer {
 public:
  // `units_before`: how many units there are before the first one. `starts`: where each worker goes on; at least one.
  Dealer(std::uint64_t units_before, const std::vector<WorkerPosition>& starts);

  // Numbers the unit. Its worker; none: an earlier run has done it.
  [[nodiscard]] std::optional<std::uint32_t> deal(PlannedUnit& unit);

  [[nodiscard]] std::uint32_t workers() const { return static_cast<std::uint32_t>(hands_.size()); }
  // True once every worker's place was passed.
  [[nodiscard]] bool has_caught_up() const { return waiting_.empty(); }
  // The line of a place up to which the input is no longer the same.
  [[nodiscard]] std::optional<std::uint64_t> changed_line() const { return changed_line_; }
  // The line of the furthest place that was not passed yet.
  [[nodiscard]] std::uint64_t furthest_line() const {
    return waiting_.empty() ? 0 : hands_[waiting_.front()].start.line;
  }

 private:
  struct Hand {
    WorkerPosition start;
    std::uint64_t sum = Mark{}.sum;  // of its units dealt so far
  };
  void check_passed();

  std::vector<Hand> hands_;
  std::vector<std::uint32_t> waiting_;  // hands whose place is not passed yet, the nearest last
  std::uint64_t number_;
  std::optional<std::uint64_t> changed_line_;
};

}  // namespace write_aside::cli
