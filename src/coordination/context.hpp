// What every part of the coordination needs: the two stores, the runtime, the options, the names in the stream.
#pragma once

#include <memory>
#include <string>

#include "coordination/lane.hpp"
#include "core/opening_process.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::coordination {

using CommitState = ports::CommitReply::State;

struct Context {
  std::shared_ptr<ports::Database> database;
  std::shared_ptr<ports::EventStream> stream;
  ports::Runtime& runtime;
  CoordinatorOptions options;
  std::string database_id;
  std::string stream_id;
  std::string ledger_topic;
  std::string ledger_id;
  std::string process;  // to_string of our ProcessIdentity
  core::OpeningProcess opened_in = {};

  [[nodiscard]] TimePoint now() const { return runtime.now(); }
  [[nodiscard]] TimePoint after(std::chrono::nanoseconds span) const {
    return runtime.now() + std::chrono::duration_cast<TimePoint::duration>(span);
  }
  // prefix + database id + lane: two databases on one stream never meet (protocol, section 2).
  [[nodiscard]] std::string transactional_id(LaneNumber lane) const {
    return "write-aside." + database_id + '.' + std::to_string(lane);
  }
  void notice(const Notice& notice) const {
    if (options.observer != nullptr) options.observer->notice(notice);
  }
};

// Ownership of a lane: *mine* means that both match.
struct Ownership {
  LaneNumber lane = 0;
  std::uint64_t epoch = 0;
  std::string owner;

  [[nodiscard]] bool holds(const ports::LaneRow& row) const { return row.epoch == epoch && row.owner == owner; }
};

[[nodiscard]] inline Error coordination_error(ErrorCode code, Effect effect, bool retriable, std::string message) {
  return {
      .code = code, .side = Side::coordinator, .effect = effect, .retriable = retriable, .message = std::move(message)};
}

// For a unit that takes this lane or none.
[[nodiscard]] inline Error lane_gone_error(LaneNumber lane) {
  return coordination_error(ErrorCode::lane_unavailable, Effect::no, true,
                            "lane " + std::to_string(lane) +
                                " is no longer held here; nothing took effect, choose another lane and run the unit "
                                "again");
}

}  // namespace write_aside::coordination
