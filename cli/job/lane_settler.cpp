#include "job/lane_settler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace write_aside::cli {
namespace {

using namespace std::chrono_literals;

}  // namespace

LaneSettler::LaneSettler(Stores stores, CoordinatorOptions options)
    : stores_(std::move(stores)),
      options_(std::move(options)),
      process_(ports::to_string(ports::system_runtime().process())) {}

Result<void> LaneSettler::settle(const std::vector<LaneNumber>& lanes) {
  if (lanes.empty()) return {};
  const std::lock_guard lock(mutex_);
  const auto settled = are_settled(lanes);
  if (!settled) return failure(settled);
  if (*settled) return {};
  auto recovery = recover(stores_.database, stores_.stream, options_, lanes, options_.lease + 2'000ms);
  if (!recovery) return failure(recovery);
  for (const Recovery::Lane& lane : recovery->lanes) {
    if (!lane.settled) return failure(not_settled(lane));
  }
  return {};
}

// The quick look: mostly everything is settled long since.
Result<bool> LaneSettler::are_settled(const std::vector<LaneNumber>& lanes) {
  const auto summaries = stores_.database->lanes();
  if (!summaries) return failure(summaries);
  return std::none_of(summaries->begin(), summaries->end(), [&](const ports::LaneSummary& summary) {
    const ports::LaneRow& row = summary.row;
    const bool used = std::find(lanes.begin(), lanes.end(), row.lane) != lanes.end();
    // A live owner elsewhere may deliver, just now, what it adopted.
    const bool quiet = row.owner.empty() || row.owner_process == process_;
    return used && (!quiet || summary.undelivered > 0);
  });
}

Error LaneSettler::not_settled(const Recovery::Lane& lane) const {
  const auto row = stores_.database->lane(lane.lane);
  const bool halted = row && *row && !(*row)->halted.empty();
  return {halted ? ErrorCode::halted : ErrorCode::conflict,
          Side::coordinator,
          Effect::no,
          true,
          fmt::format("lane {}, which an earlier run of source '{}' used, is not settled: {}; wait for the other run "
                      "to end, or see 'write-aside status'",
                      lane.lane, options_.source, lane.note),
          {}};
}

}  // namespace write_aside::cli
