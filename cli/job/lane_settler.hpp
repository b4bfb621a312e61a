// Section 6 of the protocol: nothing later of an input is published elsewhere while a lane that carried its earlier units is
// not settled.
//
// Safe from many threads: one settles at a time.
#pragma once

#include <chrono>
#include <mutex>
#include <vector>

#include "settings.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::cli {

class LaneSettler {
 public:
  LaneSettler(Stores stores, CoordinatorOptions options);

  // On success nothing that was committed on these lanes before the call is still to be delivered, whoever holds them.
  // Takes over from owners that are dead or silent, and waits for live ones, for somewhat longer than the lease.
  [[nodiscard]] Result<void> settle(const std::vector<LaneNumber>& lanes);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  [[nodiscard]] Result<void> settle_one(ports::LaneSummary now, TimePoint deadline);
  [[nodiscard]] Result<ports::LaneSummary> look(LaneNumber lane);
  [[nodiscard]] Error not_settled(const ports::LaneRow& row) const;

  Stores stores_;
  CoordinatorOptions options_;
  std::mutex mutex_;
};

}  // namespace write_aside::cli
