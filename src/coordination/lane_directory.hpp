// Which lane a driver may go for, and whether a joiner could go elsewhere: what a driver asks of its surroundings.
#pragma once

#include <optional>

#include "coordination/seal_policy.hpp"
#include "write_aside/unit_id.hpp"

namespace write_aside::coordination {

class LaneDriver;

class LaneDirectory {
 public:
  virtual ~LaneDirectory() = default;
  // A lane that nobody live owns and no other driver of this process has claimed. Claimed until unclaimed.
  virtual std::optional<LaneNumber> claim_lane() = 0;
  // This lane; false if another driver of this process has it.
  virtual bool claim(LaneNumber lane) = 0;
  virtual void unclaim_lane(LaneNumber lane) = 0;
  // The units that come, as seen by this driver. Takes no lock: drivers ask while they hold theirs.
  virtual Demand demand(const LaneDriver& asking) = 0;
  // A lane may have become joinable, or a unit visible.
  virtual void lane_changed() = 0;
  // Work for the housekeeping thread: it looks again.
  virtual void wants_housekeeping() = 0;
};

}  // namespace write_aside::coordination
