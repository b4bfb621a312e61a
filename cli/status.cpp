#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "command.hpp"
#include "interruption.hpp"
#include "job/progress.hpp"
#include "json_output.hpp"
#include "lane_state.hpp"
#include "printable.hpp"

namespace write_aside::cli {
namespace {

constexpr int attempt_count_max = 5;

struct StatusOptions {
  std::optional<double> watch;
  std::string source;
  bool json = false;
};

struct Snapshot {
  ports::Schema schema;
  std::vector<ports::LaneSummary> lanes;
  std::uint64_t undelivered = 0;
  std::uint64_t halted = 0;
  std::optional<std::string> progress;  // as it is stored
  std::optional<Progress> known;        // if it is ours
};

Result<Snapshot> take_snapshot(ports::Database& database, const std::string& source) {
  Snapshot snapshot;
  const auto schema = database.schema();
  if (!schema) return failure(schema);
  snapshot.schema = *schema;
  auto lanes = database.lanes();
  if (!lanes) return failure(lanes);
  snapshot.lanes = *std::move(lanes);
  for (const ports::LaneSummary& lane : snapshot.lanes) {
    snapshot.undelivered += lane.undelivered;
    snapshot.halted += lane.row.halted.empty() ? 0 : 1;
  }
  if (source.empty()) return snapshot;
  auto progress = database.progress(source);
  if (!progress) return failure(progress);
  snapshot.progress = *std::move(progress);
  // Its workers' places are stored one by one. Another run may take them over in between; then they are read again.
  for (int attempt = 0; snapshot.progress && attempt < attempt_count_max; ++attempt) {
    auto known = Progress::read(database, source);
    if (known) {
      snapshot.known = *std::move(known);
    } else if (known.error().code == ErrorCode::conflict) {
      continue;
    }
    break;
  }
  return snapshot;
}

// What a plan's row alone does not tell.
std::string progress_text(const Snapshot& snapshot) {
  if (!snapshot.progress) return "no progress stored";
  if (!snapshot.known) return *snapshot.progress;
  const Progress& known = *snapshot.known;
  std::string text = fmt::format("{} units done, {} of them rejected, up to line {}", known.units(), known.rejected(),
                                 known.furthest_line());
  if (const auto workers = known.planned_workers()) text += fmt::format("; unfinished, with {} workers", *workers);
  return text;
}

Json lane_json(const ports::LaneSummary& lane) {
  Json object;
  object["lane"] = lane.row.lane;
  object["state"] = lane_state(lane.row);
  object["epoch"] = lane.row.epoch;
  object["owner"] = lane.row.owner;
  object["process"] = lane.row.owner_process;
  if (lane.row.epoch == 0) {
    object["heartbeat_age_ms"] = nullptr;  // never taken
  } else {
    object["heartbeat_age_ms"] = lane.row.heartbeat_age.count();
  }
  object["settled"] =
      lane.row.settled ? Json(fmt::format("{}.{}", lane.row.settled->epoch, lane.row.settled->n)) : Json();
  object["undelivered"] = lane.undelivered;
  object["kept"] = lane.kept;
  object["halted"] = lane.row.halted;
  return object;
}

std::string to_json_text(const Snapshot& snapshot, const Stores& stores, const StatusOptions& options) {
  Json object;
  object["database"] = stores.database->name();
  object["stream"] = stores.stream->name();
  object["database_id"] = snapshot.schema.database_id;
  object["schema_version"] = snapshot.schema.version;
  object["undelivered"] = snapshot.undelivered;
  object["halted"] = snapshot.halted;
  object["lanes"] = Json::array();
  for (const ports::LaneSummary& lane : snapshot.lanes) object["lanes"].push_back(lane_json(lane));
  if (!options.source.empty()) object["progress"] = snapshot.progress ? Json(*snapshot.progress) : Json();
  if (snapshot.known) {
    object["units"] = snapshot.known->units();
    object["rejected"] = snapshot.known->rejected();
    object["line"] = snapshot.known->furthest_line();
    object["unfinished_workers"] = snapshot.known->planned_workers().value_or(0);
  }
  return to_line(object);
}

std::string to_table(const Snapshot& snapshot, const Stores& stores, const StatusOptions& options) {
  std::string text = fmt::format("{} and {}: {} undelivered, {} of {} lanes halted\n\n", stores.database->name(),
                                 stores.stream->name(), snapshot.undelivered, snapshot.halted, snapshot.lanes.size());
  text += fmt::format("{:>4}  {:<6}  {:>6}  {:>10}  {:>11}  {:>6}  {}\n", "lane", "state", "epoch", "heartbeat",
                      "undelivered", "kept", "owner");
  for (const ports::LaneSummary& lane : snapshot.lanes) {
    const bool owned = !lane.row.owner.empty();
    const std::string beat =
        owned ? fmt::format("{:.1f} s ago", static_cast<double>(lane.row.heartbeat_age.count()) / 1000) : "-";
    text +=
        fmt::format("{:>4}  {:<6}  {:>6}  {:>10}  {:>11}  {:>6}  {}\n", lane.row.lane, lane_state(lane.row),
                    lane.row.epoch, beat, lane.undelivered, lane.kept, owned ? printable(lane.row.owner_process) : "-");
    if (!lane.row.halted.empty()) text += fmt::format("      halted: {}\n", printable(lane.row.halted));
  }
  if (!options.source.empty()) {
    text += fmt::format("\nsource {}: {}\n", options.source, progress_text(snapshot));
  }
  return text;
}

Result<ExitStatus> status(const Settings& settings, const StatusOptions& options) {
  const auto stores = open_stores(settings);
  if (!stores) return failure(stores);
  for (;;) {
    const auto snapshot = take_snapshot(*stores->database, options.source);
    if (!snapshot) return failure(snapshot);
    const std::string text =
        options.json ? to_json_text(*snapshot, *stores, options) : to_table(*snapshot, *stores, options);
    if (!print_out(text) || std::fflush(stdout) != 0) return ExitStatus::committed;
    if (!options.watch) return snapshot->halted > 0 ? ExitStatus::in_doubt : ExitStatus::committed;
    interruption::wait_for(std::chrono::milliseconds(static_cast<std::int64_t>(*options.watch * 1000)));
    if (interruption::requested()) return interruption::exit_status();
    if (!options.json && !print_out("\n")) return ExitStatus::committed;
  }
}

}  // namespace

void add_status(Command program, Invocation& invocation) {
  Command command = program.command("status", "Show lanes, their owners, undelivered units, and what is halted");
  auto options = std::make_shared<StatusOptions>();
  command.number("--watch", options->watch, {0.1, 86'400}, "SECONDS", "Show it again every so many seconds");
  command.text("--source", options->source, "NAME", "Show the stored progress of this input as well");
  command.flag("--json", options->json, "One JSON object");
  command.footer(R"help(
States of a lane: free; owned by a live process; silent (no heartbeat for longer than the
lease: the next one to need it takes it); dead (its process is gone); halted (waits for
your word: 'write-aside resolve').
Undelivered: units that are committed in the database and whose events are not yet known
to be in the stream. Kept: finished units that are remembered for a while.
Exit status 3 if a lane is halted.

Example:
  write-aside status --watch 2
)help");
  command.when_chosen([&invocation, options] {
    invocation.run = [&invocation, options] { return status(invocation.settings, *options); };
  });
}

}  // namespace write_aside::cli
