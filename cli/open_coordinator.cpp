#include "open_coordinator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "interruption.hpp"

namespace write_aside::cli {
namespace {

// Set if no lane is left that is not halted.
std::optional<Error> all_halted(ports::Database& database) {
  const auto lanes = database.lanes();
  if (!lanes || lanes->empty()) return std::nullopt;
  for (const ports::LaneSummary& lane : *lanes) {
    if (lane.row.halted.empty()) return std::nullopt;
  }
  const ports::LaneRow& first = lanes->front().row;
  return Error{
      ErrorCode::halted,
      Side::coordinator,
      Effect::no,
      false,
      fmt::format("every lane is halted, lane {} because {}; see 'write-aside resolve'", first.lane, first.halted),
      {}};
}

Result<std::unique_ptr<Coordinator>> open_once(const Stores& stores, const CoordinatorOptions& options) {
  auto coordinator = Coordinator::open(stores.database, stores.stream, options);
  if (coordinator || coordinator.error().code != ErrorCode::lane_unavailable) return coordinator;
  if (auto halted = all_halted(*stores.database)) return failure(*std::move(halted));
  return coordinator;
}

}  // namespace

Result<std::unique_ptr<Coordinator>> open_coordinator(const Stores& stores, const CoordinatorOptions& options) {
  // Not worth waiting for, where the guarantee needs a lane at all.
  if (options.guarantee == Guarantee::exactly_once) {
    if (auto halted = all_halted(*stores.database)) return failure(*std::move(halted));
  }
  // A first short try, because a lane that halts as it is taken is not worth the long wait either.
  CoordinatorOptions hasty = options;
  hasty.open_timeout = std::min(options.open_timeout, std::chrono::milliseconds(1'000));
  auto coordinator = open_once(stores, hasty);
  if (coordinator || coordinator.error().code != ErrorCode::lane_unavailable || interruption::requested())
    return coordinator;
  return open_once(stores, options);
}

}  // namespace write_aside::cli
