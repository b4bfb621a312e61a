#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "command.hpp"
#include "lane_state.hpp"
#include "open_coordinator.hpp"
#include "printable.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::cli {
namespace {

struct ResolveOptions {
  std::string unit;
  std::optional<LaneNumber> lane;
  std::string settled;
  bool new_stream = false;
  bool yes = false;
};

constexpr std::string_view choices =
    R"(First find out what happened. Then one of these, for each lane; without --yes it only says what it would do:
  write-aside resolve --lane N                    the mishap is mended: check again
  write-aside resolve --lane N --settled EPOCH.N  data is lost for good: go on from the batch that the reason names
  write-aside resolve --lane N --new-stream       the stream, or its ledger topic, was replaced for good
)";

Result<BatchId> parse_batch(const std::string& text) {
  BatchId batch;
  const char* const end = text.data() + text.size();
  const auto epoch = std::from_chars(text.data(), end, batch.epoch);
  if (epoch.ec == std::errc() && epoch.ptr != end && *epoch.ptr == '.') {
    const auto n = std::from_chars(epoch.ptr + 1, end, batch.n);
    if (n.ec == std::errc() && n.ptr == end) return batch;
  }
  return failure(
      usage_error(fmt::format("--settled {}: write EPOCH.N, as the reason of the halt names the batch", text)));
}

Result<ExitStatus> resolve_unit(const Settings& settings, const ResolveOptions& options) {
  const auto unit = parse_unit_id(options.unit);
  if (!unit) return failure(usage_error(fmt::format("'{}' is no unit id; write LANE.EPOCH.N.MEMBER", options.unit)));
  const auto stores = open_stores(settings);
  if (!stores) return failure(stores);
  CoordinatorOptions coordinator_options;
  coordinator_options.ledger_topic = settings.ledger_topic;
  coordinator_options.lanes_max = 1;
  const auto coordinator = open_coordinator(*stores, coordinator_options);
  if (!coordinator) return failure(coordinator);
  const Outcome outcome = (*coordinator)->resolve(*unit);
  switch (outcome.state()) {
    case Outcome::State::committed:
      fmt::print("unit {}: committed\n", options.unit);
      return ExitStatus::committed;
    case Outcome::State::aborted:
      fmt::print("unit {}: aborted\n", options.unit);
      return ExitStatus::committed;
    case Outcome::State::in_doubt:
      break;
  }
  fmt::print("unit {}: in doubt: {}\n", options.unit, outcome.error() ? outcome.error()->message : "no evidence yet");
  return ExitStatus::in_doubt;
}

std::string evidence(const ports::LaneSummary& lane) {
  const ports::LaneRow& row = lane.row;
  std::string text = fmt::format("lane {}: {}\n", row.lane, lane_state(row));
  if (!row.halted.empty()) text += fmt::format("  reason       {}\n", printable(row.halted));
  text += fmt::format("  epoch        {}\n", row.epoch);
  text += fmt::format("  settled      {}\n",
                      row.settled ? fmt::format("{}.{}", row.settled->epoch, row.settled->n) : "nothing yet");
  text += fmt::format("  undelivered  {}\n", lane.undelivered);
  text += fmt::format("  stream       {}\n  ledger       {}\n", row.stream_id, row.ledger_id);
  return text;
}

// What the operator's word changes in the lane row; says what follows from it.
Result<std::string> change(ports::LaneRow& row, const ResolveOptions& options) {
  row.halted.clear();
  row.owner.clear();
  row.owner_process.clear();
  if (!options.settled.empty()) {
    const auto batch = parse_batch(options.settled);
    if (!batch) return failure(batch);
    row.settled = *batch;
    row.epoch = std::max(row.epoch, batch->epoch);
    row.ledger_offset = 0;
    return fmt::format(
        "batch {} counts as the last settled one: what the stream or the database lost up to there stays lost, "
        "later undelivered units are delivered",
        options.settled);
  }
  if (options.new_stream) {
    row.settled.reset();
    row.ledger_offset = 0;
    row.stream_id.clear();
    row.ledger_id.clear();
    return std::string(
        "the stream is taken as a new one: events that the old one held are not sent again, undelivered units are "
        "delivered to the new one");
  }
  return std::string(
      "the halt is lifted and nothing else; the next owner checks again, and halts again if the reason still holds");
}

Result<ExitStatus> show_halted(ports::Database& database) {
  const auto lanes = database.lanes();
  if (!lanes) return failure(lanes);
  bool halted = false;
  for (const ports::LaneSummary& lane : *lanes) {
    if (lane.row.halted.empty()) continue;
    halted = true;
    fmt::print("{}", evidence(lane));
  }
  fmt::print("{}", halted ? choices : "no lane is halted\n");
  return halted ? ExitStatus::in_doubt : ExitStatus::committed;
}

Result<void> write_change(ports::Database& database, const ports::LaneRow& seen, const ResolveOptions& options) {
  auto transaction = database.own_transaction(std::chrono::steady_clock::now() + std::chrono::seconds(10));
  if (!transaction) return failure(transaction);
  auto row = (*transaction)->lock_lane(seen.lane);
  if (!row) return failure(row);
  // What was shown is what is changed.
  if (!*row || (**row).halted != seen.halted || (**row).epoch != seen.epoch) {
    return failure(Error{ErrorCode::conflict,
                         Side::coordinator,
                         Effect::no,
                         true,
                         fmt::format("lane {} has changed meanwhile; look at it again", seen.lane),
                         {}});
  }
  if (auto changed = change(**row, options); !changed) return failure(changed);
  if (auto written = (*transaction)->write_lane(**row, false); !written) return written;
  const ports::CommitReply reply = (*transaction)->commit();
  if (reply.state == ports::CommitReply::State::committed) return {};
  return failure(reply.error.value_or(Error{}));
}

Result<ExitStatus> resolve_lane(ports::Database& database, const ResolveOptions& options) {
  const auto lanes = database.lanes();
  if (!lanes) return failure(lanes);
  for (const ports::LaneSummary& lane : *lanes) {
    if (lane.row.lane != *options.lane) continue;
    fmt::print("{}", evidence(lane));
    if (lane.row.halted.empty()) return failure(usage_error(fmt::format("lane {} is not halted", *options.lane)));
    ports::LaneRow changed = lane.row;
    const auto consequence = change(changed, options);
    if (!consequence) return failure(consequence);
    fmt::print("{}: {}\n", options.yes ? "done" : "dry run, --yes would do it", *consequence);
    if (!options.yes) return ExitStatus::in_doubt;
    if (auto written = write_change(database, lane.row, options); !written) return failure(written);
    return ExitStatus::committed;
  }
  return failure(usage_error(fmt::format("there is no lane {}", *options.lane)));
}

Result<ExitStatus> resolve(const Settings& settings, const ResolveOptions& options) {
  if (!options.unit.empty()) return resolve_unit(settings, options);
  const auto database = open_database(settings.database, Missing::refuse);
  if (!database) return failure(database);
  if (!options.lane) return show_halted(**database);
  return resolve_lane(**database, options);
}

}  // namespace

void add_resolve(Command program, Invocation& invocation) {
  Command command = program.command("resolve", "End the doubt about a unit, or give your word for a halted lane");
  auto options = std::make_shared<ResolveOptions>();
  const Option unit =
      command.text("UNIT", options->unit, "", "Id of a unit that was reported in doubt: LANE.EPOCH.N.MEMBER");
  const Option lane = command
                          .number("--lane", options->lane, {0, UINT32_MAX}, "N",
                                  "Halted lane; shows the evidence and what would be done")
                          .excludes(unit);
  const Option settled =
      command
          .text("--settled", options->settled, "EPOCH.N",
                "Take this batch as settled, for a stream or database that lost data or was restored")
          .needs(lane);
  command.flag("--new-stream", options->new_stream, "Take the stream, or its ledger, as a new one")
      .needs(lane)
      .excludes(settled);
  command.flag("--yes", options->yes, "Do it; without this nothing is changed").needs(lane);
  command.footer(R"help(
Without arguments: shows the halted lanes and why. A lane halts when one of the stores
contradicts the other: it was restored from a backup, lost data, or was replaced.
First find out which; then, with --lane:
  (nothing more)        lift the halt: the mishap is mended, the checks shall pass now
  --settled EPOCH.N     the data is lost, go on from the batch that the reason names
  --new-stream          the stream was replaced, deliver to the new one
For a unit it prints committed or aborted, and then it is that for ever.
Exit status: 0 done or decided; 3 in doubt, or a lane stays halted.

Examples:
  write-aside resolve 0.7.12.1
  write-aside resolve --lane 2 --new-stream --yes
)help");
  command.when_chosen([&invocation, options] {
    invocation.run = [&invocation, options] { return resolve(invocation.settings, *options); };
  });
}

}  // namespace write_aside::cli
