#include "simulation/run_verdict.hpp"

#include <map>
#include <optional>
#include <utility>

namespace write_aside::simulation {
namespace {

std::optional<UnitId> unit_of(const ports::StoredRecord& record) {
  for (const Header& header : record.headers) {
    if (header.name == "wa-unit") return parse_unit_id(header.value);
  }
  return std::nullopt;
}

// The events to the second topic: all of a unit's or none.
std::string torn_or_orphan(FakePair& pair, const std::function<int(int)>& extra_events) {
  std::string wrong;
  std::map<int, int> found;
  for (const auto& record : pair.stream_state().committed("u")) ++found[std::stoi(*record.value)];
  for (const int id : pair.rows()) {
    const int count = std::exchange(found[id], 0);
    if (count != extra_events(id)) {
      wrong += "torn " + std::to_string(id) + ": " + std::to_string(count) + " of " + std::to_string(extra_events(id)) +
               " events; ";
    }
  }
  for (const auto& [id, count] : found) {
    if (count > 0) wrong += "orphan in the second topic " + std::to_string(id) + "; ";
  }
  return wrong;
}

// The sweep of the last process has delivered what landed while it was there.
std::string undelivered(FakePair& pair) {
  std::string keys;
  for (const ports::JournalRow& row : pair.database_state().journal_rows()) {
    if (!row.delivered) keys += " " + to_string(row.key);
  }
  return keys.empty() ? keys : "undelivered:" + keys + "; ";
}

// Order on a lane: what was committed before another unit's last statement stands before that one's events, within
// one epoch, with strict_order in all of them.
std::string out_of_order(FakePair& pair, bool strict_order) {
  std::string wrong;
  struct Decided {
    UnitId unit;
    std::uint64_t last_statement = 0;
    std::uint64_t committed = 0;
  };
  std::map<UnitId, Decided> decisions;
  for (const auto& decision : pair.database_state().decisions()) {
    decisions.emplace(decision.unit, Decided{decision.unit, decision.last_statement, decision.committed});
  }
  std::map<std::pair<LaneNumber, std::uint64_t>, Decided> earliest_behind;
  const auto records = pair.stream_state().committed("t");
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    const auto unit = unit_of(*record);
    const auto decided = unit ? decisions.find(*unit) : decisions.end();
    if (decided == decisions.end()) {
      wrong += "an event of no decided unit; ";
      continue;
    }
    const std::uint64_t epoch = strict_order ? 0 : unit->epoch;
    const auto [behind, first] = earliest_behind.try_emplace({unit->lane, epoch}, decided->second);
    if (first) continue;
    if (behind->second.committed < decided->second.last_statement) {
      wrong += "out of order: " + to_string(behind->second.unit) + " behind " + to_string(*unit) + "; ";
    }
    if (decided->second.committed < behind->second.committed) behind->second = decided->second;
  }
  return wrong;
}

}  // namespace

std::string run_verdict(FakePair& pair, const std::function<int(int)>& extra_events, bool strict_order) {
  return undelivered(pair) + torn_or_orphan(pair, extra_events) + out_of_order(pair, strict_order);
}

}  // namespace write_aside::simulation
