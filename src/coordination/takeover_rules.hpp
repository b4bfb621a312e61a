// T1 and T4, the decisions: who may take a lane, and when a lane must be halted instead. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "core/ledger_record.hpp"
#include "write_aside/ports/database.hpp"

namespace write_aside::coordination {

// T1: released, or silent for longer than the lease, or its owner is proven dead. Taking too early costs throughput,
// never safety.
[[nodiscard]] inline bool may_take(const ports::LaneRow& row, std::chrono::milliseconds lease, bool owner_is_dead) {
  if (!row.halted.empty()) return false;
  return row.owner.empty() || row.heartbeat_age > lease || owner_is_dead;
}

// What T4 sees, with the lane row locked and found to be ours.
struct TakeoverEvidence {
  const ports::LaneRow& row;
  std::optional<core::LedgerRecord> ledger;  // S
  bool first_member_exists = false;          // the row of S's first member, if S is above settled
  std::string stream_id;
  std::string ledger_id;
};

// T4: a reason to halt, or none.
[[nodiscard]] std::optional<std::string> reason_to_halt(const TakeoverEvidence& evidence);

}  // namespace write_aside::coordination
