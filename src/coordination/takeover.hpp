// T1, T4, T5: taking a lane, on the database's side. (T2 and T3 are the stream's side: ledger.hpp.)
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordination/context.hpp"
#include "coordination/ledger.hpp"
#include "coordination/member.hpp"

namespace write_aside::coordination {

// Proven: a process of this host that is not there any more.
[[nodiscard]] bool owner_is_dead(ports::Runtime& runtime, const ports::LaneRow& row);

// T1. None: somebody live owns the lane, or it is halted. `attempt` is the owner id of an earlier attempt on this lane
// whose COMMIT was not answered, empty at first; a lane that carries it is ours to take again.
[[nodiscard]] Result<std::optional<Ownership>> take_lane(const Context& context, LaneNumber lane, std::string& attempt,
                                                         ports::Deadline deadline);

struct Adoption {
  enum class State { done, lost, halted, in_doubt };
  State state = State::done;
  std::string reason = {};  // halted
  std::optional<BatchId> settled = {};
  std::int64_t ledger_offset = 0;
  std::vector<MemberPointer> members = {};  // T5: every undelivered row with label (mine, 1), in key order
};

// T4, and T5's reading. After `in_doubt` it is simply done again: it locks the lane row, and what has landed is there.
[[nodiscard]] Result<Adoption> adopt_lane(const Context& context, const Ownership& mine, const LedgerReading& ledger,
                                          ports::Deadline deadline);

// A journal row as a member: decided, to be produced.
[[nodiscard]] Result<MemberPointer> adopted_member(const ports::JournalRow& row);

}  // namespace write_aside::coordination
