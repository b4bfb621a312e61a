#include "job/dealer.hpp"

#include <algorithm>
#include <numeric>

namespace write_aside::cli {

Dealer::Dealer(std::uint64_t units_before, const std::vector<WorkerPosition>& starts)
    : waiting_(starts.size()), number_(units_before) {
  for (const WorkerPosition& start : starts) hands_.push_back({start});
  std::iota(waiting_.begin(), waiting_.end(), 0u);
  std::sort(waiting_.begin(), waiting_.end(),
            [this](std::uint32_t a, std::uint32_t b) { return hands_[a].start.units > hands_[b].start.units; });
  check_passed();
}

std::optional<std::uint32_t> Dealer::deal(PlannedUnit& unit) {
  unit.number = ++number_;
  if (hands_.size() == 1) return 0;
  const std::uint32_t worker = worker_of(unit, workers());
  Hand& hand = hands_[worker];
  // The line end keeps "a", "bc" apart from "ab", "c".
  hand.sum = sum_with(sum_with(hand.sum, unit.text), "\n");
  unit.own_sum = hand.sum;
  const bool done = unit.number <= hand.start.units;
  check_passed();
  return done ? std::nullopt : std::optional(worker);
}

void Dealer::check_passed() {
  while (!waiting_.empty() && hands_[waiting_.back()].start.units <= number_) {
    const Hand& hand = hands_[waiting_.back()];
    // The sum tells, too, whether the worker's units are still the same ones: a mended unit may have changed its key.
    if (hand.sum != hand.start.sum && !changed_line_) changed_line_ = hand.start.line;
    waiting_.pop_back();
  }
}

}  // namespace write_aside::cli
