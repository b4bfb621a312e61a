// Section 6 of the protocol: nothing later of an input is published elsewhere while a lane that carried its earlier units is
// not settled.
//
// Safe from many threads: one settles at a time.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "settings.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::cli {

class LaneSettler {
 public:
  LaneSettler(Stores stores, CoordinatorOptions options);

  // On success nothing that was committed on these lanes by now is still to be delivered, whoever holds them. Waits for
  // live owners, and takes over from dead ones, for somewhat longer than the lease.
  [[nodiscard]] Result<void> settle(const std::vector<LaneNumber>& lanes);

 private:
  [[nodiscard]] Result<bool> are_settled(const std::vector<LaneNumber>& lanes);
  [[nodiscard]] Error not_settled(const Recovery::Lane& lane) const;

  Stores stores_;
  CoordinatorOptions options_;
  std::string process_;  // ours, as a lane row names its owner
  std::mutex mutex_;
};

}  // namespace write_aside::cli
