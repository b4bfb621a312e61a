#include "coordination/janitor.hpp"

#include <functional>

namespace write_aside::coordination {

namespace {

// Deletes and marks; a reason if the number of rows is not the number settled.
Result<std::optional<std::string>> clear_rows(ports::OwnTransaction& transaction, LaneNumber lane,
                                              const JanitorWork& work) {
  std::uint64_t kept = 0;
  for (const UnitId& key : work.ever_in_doubt) {
    const auto delivered = transaction.deliver(key);
    if (!delivered) return failure(delivered);
    kept += *delivered;
  }
  const auto deleted = transaction.delete_settled(lane, work.settled);
  if (!deleted) return failure(deleted);
  const auto adopted = transaction.deliver_covered(lane, work.settled);
  if (!adopted) return failure(adopted);
  if (kept == work.ever_in_doubt.size() && *deleted == work.to_delete && *adopted == work.adopted) {
    return std::nullopt;
  }
  const std::uint64_t expected = work.to_delete + work.adopted + work.ever_in_doubt.size();
  return "the journal holds " + std::to_string(kept + *deleted + *adopted) + " rows of settled batches where " +
         std::to_string(expected) + " were written: the database lost data or somebody changed the journal";
}

// Locks the lane row; if it is ours, lets `change` have it and commits.
Result<bool> change_lane(ports::Database& database, const Ownership& mine, ports::Deadline deadline, bool beat,
                         const std::function<Result<void>(ports::OwnTransaction&, ports::LaneRow&)>& change) {
  auto transaction = database.own_transaction(deadline);
  if (!transaction) return failure(transaction);
  auto row = (*transaction)->lock_lane(mine.lane);
  if (!row) return failure(row);
  if (!*row || !mine.holds(**row)) return false;
  if (auto changed = change(**transaction, **row); !changed) return failure(changed);
  if (auto written = (*transaction)->write_lane(**row, beat); !written) return failure(written);
  ports::CommitReply reply = (*transaction)->commit();
  if (reply.state != CommitState::committed) return failure(std::move(*reply.error));
  return true;
}

Result<void> lost_is_fine(const Result<bool>& changed) {
  if (!changed) return failure(changed);
  return {};
}

}  // namespace

Result<Clearance> clear_settled(ports::Database& database, const Ownership& mine,
                                const std::optional<JanitorWork>& work, const std::optional<JanitorWork>& earlier,
                                ports::Deadline deadline) {
  auto transaction = database.own_transaction(deadline);
  if (!transaction) return failure(transaction);
  auto row = (*transaction)->lock_lane(mine.lane);
  if (!row) return failure(row);
  if (!*row || !mine.holds(**row)) return Clearance{Clearance::State::lost};

  ports::LaneRow lane = **row;
  // The lane row says whether the transaction that was not answered has landed: it carries `settled`.
  const bool landed = earlier && lane.settled && *lane.settled >= earlier->settled;
  if (work && !landed) {
    auto reason = clear_rows(**transaction, mine.lane, *work);
    if (!reason) return failure(reason);
    if (*reason) return Clearance{Clearance::State::damaged, false, **reason};
    lane.settled = work->settled;
    lane.ledger_offset = work->ledger_offset;
  }
  if (auto written = (*transaction)->write_lane(lane, true); !written) return failure(written);
  const ports::CommitReply reply = (*transaction)->commit();
  switch (reply.state) {
    case CommitState::committed:
      return Clearance{Clearance::State::done, landed};
    case CommitState::in_doubt:
      return Clearance{Clearance::State::in_doubt, landed};
    case CommitState::aborted:
      return failure(*reply.error);
  }
  return Clearance{Clearance::State::in_doubt, landed};
}

Result<void> purge_lane(ports::Database& database, const Ownership& mine, std::chrono::seconds retention,
                        ports::Deadline deadline) {
  const auto purge = [&](ports::OwnTransaction& transaction, ports::LaneRow& row) -> Result<void> {
    const auto purged = transaction.purge(mine.lane, retention);
    if (!purged) return failure(purged);
    if (*purged && **purged > row.purged) row.purged = **purged;
    return {};
  };
  return lost_is_fine(change_lane(database, mine, deadline, true, purge));
}

Result<void> release_lane(ports::Database& database, const Ownership& mine, ports::Deadline deadline) {
  const auto release = [](ports::OwnTransaction&, ports::LaneRow& row) -> Result<void> {
    row.owner.clear();
    row.owner_process.clear();
    return {};
  };
  return lost_is_fine(change_lane(database, mine, deadline, false, release));
}

Result<void> halt_lane(ports::Database& database, const Ownership& mine, const std::string& reason,
                       ports::Deadline deadline) {
  const auto halt = [&](ports::OwnTransaction&, ports::LaneRow& row) -> Result<void> {
    row.halted = reason;
    return {};
  };
  return lost_is_fine(change_lane(database, mine, deadline, false, halt));
}

}  // namespace write_aside::coordination
