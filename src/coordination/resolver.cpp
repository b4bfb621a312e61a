#include "coordination/resolver.hpp"

namespace write_aside::coordination {

namespace {

using Verdict = Resolution::Verdict;

Resolution unknown(Error error) { return {Verdict::unknown, std::move(error)}; }

// D3: ending a session may have cancelled its wait for synchronous replication. One small write that is replicated
// after the unit's COMMIT proves that the COMMIT is.
Resolution confirm_commit(ports::Database& database, LaneNumber lane, ports::Deadline deadline) {
  auto transaction = database.own_transaction(deadline);
  if (!transaction) return unknown(transaction.error());
  const auto row = (*transaction)->lock_lane(lane);
  if (!row) return unknown(row.error());
  if (*row) {
    if (auto written = (*transaction)->write_lane(**row, false); !written) return unknown(written.error());
  }
  const ports::CommitReply reply = (*transaction)->commit();
  // Committed with a warning: this write was not waited for either.
  if (reply.state != CommitState::committed || reply.error) return unknown(*reply.error);
  return {Verdict::committed};
}

// The primary key is taken: a new transaction reads by whom.
Resolution read_row(ports::Database& database, const UnitId& unit, ports::Deadline deadline) {
  std::optional<ports::JournalRow> row;
  {
    auto transaction = database.own_transaction(deadline);
    if (!transaction) return unknown(transaction.error());
    auto read = (*transaction)->row(unit);
    if (!read) return unknown(read.error());
    row = std::move(*read);
  }
  if (!row) {
    return unknown(
        coordination_error(ErrorCode::unknown, Effect::unknown, true,
                           "unit " + to_string(unit) + " is still in doubt: its row came and went; ask again"));
  }
  if (row->tombstone) return {Verdict::aborted};
  return confirm_commit(database, unit.lane, deadline);
}

}  // namespace

Resolution resolve_unit(ports::Database& database, const UnitId& unit, const std::string& session,
                        ports::Deadline deadline, const std::optional<Ownership>& mine) {
  if (!session.empty()) {
    if (auto ended = database.end_session(session, deadline); !ended) return unknown(ended.error());
  }
  {
    auto transaction = database.own_transaction(deadline);
    if (!transaction) return unknown(transaction.error());
    const auto row = (*transaction)->lock_lane(unit.lane);
    if (!row) return unknown(row.error());
    if (!*row) {
      return unknown(coordination_error(ErrorCode::invalid_argument, Effect::no, false,
                                        "unit " + to_string(unit) + ": this database has no lane " +
                                            std::to_string(unit.lane) + "; ask the database that the unit ran on"));
    }
    // D4: at or below the watermark a row may have been purged, so its absence proves nothing.
    const bool own = mine && mine->epoch == unit.epoch && mine->holds(**row);
    if (!own && BatchId{unit.epoch, unit.n} <= (*row)->purged) {
      return {Verdict::too_old, coordination_error(ErrorCode::invalid_argument, Effect::unknown, false,
                                                   "unit " + to_string(unit) +
                                                       " is too old: its journal row may have been purged; look for "
                                                       "its rows")};
    }
    const auto inserted = (*transaction)->insert_tombstone(unit);
    if (!inserted) return unknown(inserted.error());
    if (*inserted) {
      const ports::CommitReply reply = (*transaction)->commit();
      if (reply.state == CommitState::committed) return {Verdict::aborted};
      return unknown(*reply.error);
    }
  }
  return read_row(database, unit, deadline);
}

}  // namespace write_aside::coordination
