#include "job/lane_settler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "interruption.hpp"

namespace write_aside::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto patience_beyond_lease = 2'000ms;
constexpr auto look_again = 20ms;
constexpr std::uint32_t settled_count_enough = 2;

}  // namespace

LaneSettler::LaneSettler(Stores stores, CoordinatorOptions options)
    : stores_(std::move(stores)), options_(std::move(options)) {}

Result<void> LaneSettler::settle(const std::vector<LaneNumber>& lanes) {
  if (lanes.empty()) return {};
  const std::lock_guard lock(mutex_);
  const auto deadline = Clock::now() + options_.lease + patience_beyond_lease;
  const auto summaries = stores_.database->lanes();
  if (!summaries) return failure(summaries);
  for (const ports::LaneSummary& summary : *summaries) {
    if (std::find(lanes.begin(), lanes.end(), summary.row.lane) == lanes.end()) continue;
    if (auto settled = settle_one(summary, deadline); !settled) return settled;
  }
  return {};
}

// Whatever is committed by now is delivered once nothing is undelivered; or, where an owner goes on committing, once it has
// settled two batches: the first one it writes down may have been settled before, the second one holds whatever was
// committed when the first was. Rows of earlier owners count from when it has adopted them.
Result<void> LaneSettler::settle_one(ports::LaneSummary now, TimePoint deadline) {
  const LaneNumber lane = now.row.lane;
  ports::LaneRow last = now.row;
  std::uint32_t settled_count = 0;
  while (now.undelivered > 0) {
    const auto older = stores_.database->has_undelivered_below(lane, now.row.epoch);
    if (!older) return failure(older);
    if (*older || now.row.epoch != last.epoch) {
      settled_count = 0;
    } else if (now.row.settled != last.settled) {
      ++settled_count;
    }
    if (settled_count == settled_count_enough) return {};
    last = now.row;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (!now.row.halted.empty() || interruption::requested() || left <= 0ms) return failure(not_settled(now.row));
    // It takes the lane over if nobody live owns it. It does not wait for what a live owner has under way: we do.
    const auto recovery = recover(stores_.database, stores_.stream, options_, {lane}, left);
    if (!recovery) return failure(recovery);
    interruption::wait_for(look_again);
    auto next = look(lane);
    if (!next) return failure(next);
    now = *std::move(next);
  }
  return {};
}

Result<ports::LaneSummary> LaneSettler::look(LaneNumber lane) {
  auto summaries = stores_.database->lanes();
  if (!summaries) return failure(summaries);
  for (ports::LaneSummary& summary : *summaries) {
    if (summary.row.lane == lane) return std::move(summary);
  }
  return ports::LaneSummary{};  // there is no such lane any more, and nothing undelivered in it
}

Error LaneSettler::not_settled(const ports::LaneRow& row) const {
  const std::string why =
      row.halted.empty() ? "owned by " + (row.owner.empty() ? "nobody" : row.owner_process) : "halted: " + row.halted;
  return {row.halted.empty() ? ErrorCode::conflict : ErrorCode::halted,
          Side::coordinator,
          Effect::no,
          true,
          fmt::format("lane {}, which an earlier run of source '{}' used, is not settled: {}; wait for the other run "
                      "to end, or see 'write-aside status'",
                      row.lane, options_.source, why),
          {}};
}

}  // namespace write_aside::cli
