#include <fmt/format.h>

#include <algorithm>

#include "command.hpp"
#include "json_output.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::cli {
namespace {

struct RecoverOptions {
  std::chrono::milliseconds timeout{10'000};
  std::vector<LaneNumber> lanes;
  bool json = false;
};

std::string to_json_text(const Recovery& recovery) {
  Json object;
  std::uint64_t delivered = 0;
  Json lanes = Json::array();
  for (const Recovery::Lane& lane : recovery.lanes) {
    delivered += lane.delivered;
    lanes.push_back(
        Json{{"lane", lane.lane}, {"settled", lane.settled}, {"delivered", lane.delivered}, {"note", lane.note}});
  }
  object["complete"] = recovery.complete();
  object["delivered"] = delivered;
  object["lanes"] = std::move(lanes);
  return to_line(object);
}

std::string to_text(const Recovery& recovery) {
  std::string text;
  for (const Recovery::Lane& lane : recovery.lanes) {
    text +=
        fmt::format("lane {}: {}, {} {} delivered now{}{}\n", lane.lane, lane.settled ? "settled" : "not settled",
                    lane.delivered, lane.delivered == 1 ? "unit" : "units", lane.note.empty() ? "" : "; ", lane.note);
  }
  return text;
}

Result<ExitStatus> run_recover(const Settings& settings, const RecoverOptions& options) {
  const auto stores = open_stores(settings);
  if (!stores) return failure(stores);
  CoordinatorOptions coordinator_options;
  coordinator_options.ledger_topic = settings.ledger_topic;
  const auto recovery = recover(stores->database, stores->stream, coordinator_options, options.lanes, options.timeout);
  if (!recovery) return failure(recovery);
  fmt::print("{}", options.json ? to_json_text(*recovery) : to_text(*recovery));
  if (recovery->complete()) return ExitStatus::committed;
  const auto lanes = stores->database->lanes();
  if (!lanes) return failure(lanes);
  const bool halted = std::any_of(lanes->begin(), lanes->end(),
                                  [](const ports::LaneSummary& lane) { return !lane.row.halted.empty(); });
  return halted ? ExitStatus::in_doubt : ExitStatus::rejected;
}

}  // namespace

void add_recover(Command program, Invocation& invocation) {
  Command command = program.command("recover", "Take over what dead owners left, and settle it");
  auto options = std::make_shared<RecoverOptions>();
  command.seconds("--timeout", options->timeout, {0, 86'400}, "SECONDS",
                  "How long to wait for leases of silent owners (default 10)");
  command.number("--lane", options->lanes, {0, UINT32_MAX}, "N", "Only this lane; may be given several times");
  command.flag("--json", options->json, "One JSON object");
  command.footer(R"help(
Running programs settle dead owners' lanes by themselves as they need them; this command
does it for all lanes, now. It never touches a lane whose owner is alive.
Exit status: 0 everything that owners left is settled; 1 some is not yet; 3 a lane is halted.

Example:
  write-aside recover --timeout 30 --json
)help");
  command.when_chosen([&invocation, options] {
    invocation.run = [&invocation, options] { return run_recover(invocation.settings, *options); };
  });
}

}  // namespace write_aside::cli
