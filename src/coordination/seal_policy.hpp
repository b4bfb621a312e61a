// B1: when is a batch sealed? Pure arithmetic on times.
//
// A lone unit never waits. Under load a batch is held open, since ending a stream transaction costs much the same
// for one unit as for many: for some multiple of what ending the last one cost, unless nobody joins any more.
//
// Where an end is cheap beside a unit, that alone would end a stream transaction for every unit: one more sync each, in
// the way of the database's. So units that follow each other closely are held for some number of them as well.
//
// Load is not seen in the joinings of the lane itself: a lane that seals too early has one unit a batch, far apart, and
// would take that for a low load for ever, with every other unit waiting outside.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace write_aside::coordination {

// What the coordinator knows of the units that come, to all its lanes.
struct Demand {
  std::chrono::nanoseconds arrival_gap = std::chrono::seconds(1);  // the mean of late
  bool units_wait = false;                                         // for a place in any lane
  bool other_lane_free = false;                                    // joiners have somewhere to go meanwhile
};

struct SealInput {
  using TimePoint = std::chrono::steady_clock::time_point;
  TimePoint begun;                // when the stream transaction was begun
  TimePoint last_activity;        // last joining or decision
  std::chrono::nanoseconds cost;  // of a stream transaction of late: until its first acknowledgement, and its end
  std::uint32_t hold_multiple = 4;
  std::chrono::nanoseconds age_max;
  bool full = false;            // size limits are reached
  bool somebody_waits = false;  // for visibility, or for the lane to drain
  Demand demand;
};

inline constexpr std::chrono::milliseconds close_gap{
    2};  // between units, and shorter ones: load, however cheap an end is
inline constexpr int gaps_held = 8;

// The time from which the batch is to be sealed; in the past: now.
[[nodiscard]] inline SealInput::TimePoint seal_time(const SealInput& in) {
  if (in.full || in.somebody_waits) return in.begun;
  const bool under_load =
      in.demand.units_wait || in.demand.arrival_gap < std::max<std::chrono::nanoseconds>(2 * in.cost, close_gap);
  if (!under_load) return in.begun;
  // Twice as long where an end is worth most: when many units come while one batch ends. A few that wait because they
  // came at once are no such load.
  const bool heavy_load =
      4 * in.demand.arrival_gap < in.cost || (!in.demand.other_lane_free && in.demand.arrival_gap < in.cost);
  std::chrono::nanoseconds hold = in.hold_multiple * in.cost;
  if (in.demand.arrival_gap < close_gap) hold = std::max(hold, gaps_held * in.demand.arrival_gap);
  if (heavy_load) hold *= 2;
  const auto idle = in.last_activity + std::max<std::chrono::nanoseconds>(2 * in.demand.arrival_gap, in.cost);
  return std::min({in.begun + hold, idle, in.begun + in.age_max});
}

}  // namespace write_aside::coordination
