#include "adapters/sqlite/database.hpp"

#include <utility>

#include "adapters/sqlite/own_transaction.hpp"
#include "adapters/sqlite/rows.hpp"
#include "adapters/sqlite/session.hpp"
#include "adapters/sqlite/tables.hpp"
#include "adapters/sqlite/unit_statements.hpp"

namespace write_aside::sqlite {

using ports::LaneRow;
using ports::LaneSummary;
using sqlite_handles::Connection;

Result<ports::Schema> Database::create_schema(std::uint32_t lanes) {
  if (lanes == 0 || lanes > lanes_limit) {
    return failure(
        {ErrorCode::invalid_argument,
         Side::caller,
         Effect::no,
         false,
         "init of " + name() + " with " + std::to_string(lanes) + " lanes; choose 1 to " + std::to_string(lanes_limit),
         {}});
  }
  const auto deadline = std::chrono::steady_clock::now() + store_->options().busy_timeout;
  auto transaction = WriteTransaction::begin(store_, Purpose::own, deadline);
  if (!transaction) return failure(std::move(transaction));
  auto schema = make_tables(transaction->connection(), lanes);
  if (!schema) return schema;
  auto reply = transaction->commit(deadline);
  if (reply.state != ports::CommitReply::State::committed) return failure(std::move(*reply.error));
  return schema;
}

Result<ports::Schema> Database::schema() {
  return store_->read([](Connection& connection) { return read_schema(connection); });
}

Result<std::unique_ptr<ports::Session>> Database::session(ports::Deadline) {
  // The connection comes with the turn to write, in begin().
  return std::make_unique<Session>(store_);
}

Result<std::unique_ptr<ports::OwnTransaction>> Database::own_transaction(ports::Deadline deadline) {
  auto transaction = WriteTransaction::begin(store_, Purpose::own, deadline);
  if (!transaction) return failure(std::move(transaction));
  return std::make_unique<OwnTransaction>(std::move(*transaction), deadline);
}

Result<std::vector<LaneSummary>> Database::lanes() {
  return store_->read([](Connection& connection) -> Result<std::vector<LaneSummary>> {
    auto statement = connection.prepare(
        "SELECT " WRITE_ASIDE_SQLITE_LANE_COLUMNS
        ", (SELECT count(*) FROM main.write_aside_journal AS j WHERE j.lane = l.lane AND j.delivered_at IS NULL)"
        ", (SELECT count(*) FROM main.write_aside_journal AS j WHERE j.lane = l.lane AND j.delivered_at IS NOT NULL)"
        " FROM main.write_aside_lane AS l ORDER BY lane",
        "read the lanes");
    if (!statement) return failure(std::move(statement));
    std::vector<LaneSummary> lanes;
    // Bounded by the number of lanes.
    for (;;) {
      auto row = statement->step();
      if (!row) return failure(std::move(row));
      if (!*row) return lanes;
      lanes.push_back({read_lane_row(*statement), statement->integer_as<std::uint64_t>(13),
                       statement->integer_as<std::uint64_t>(14)});
    }
  });
}

Result<std::optional<LaneRow>> Database::lane(LaneNumber lane) {
  return store_->read([lane](Connection& connection) -> Result<std::optional<LaneRow>> {
    auto statement = connection.prepare(
        "SELECT " WRITE_ASIDE_SQLITE_LANE_COLUMNS " FROM main.write_aside_lane WHERE lane = ?", "read the lane");
    if (!statement) return failure(std::move(statement));
    auto row = statement->bind_all(lane).step();
    if (!row) return failure(std::move(row));
    if (!*row) return std::nullopt;
    return read_lane_row(*statement);
  });
}

Result<std::vector<LaneRow>> Database::lanes_in_use() {
  return store_->read([](Connection& connection) -> Result<std::vector<LaneRow>> {
    auto statement = connection.prepare(
        "SELECT " WRITE_ASIDE_SQLITE_LANE_COLUMNS
        " FROM main.write_aside_lane AS l WHERE owner <> '' OR EXISTS (SELECT 1 FROM main.write_aside_journal AS j "
        "WHERE j.lane = l.lane AND j.delivered_at IS NULL) ORDER BY lane",
        "read the lanes in use");
    if (!statement) return failure(std::move(statement));
    std::vector<LaneRow> lanes;
    // Bounded by the number of lanes.
    for (;;) {
      auto row = statement->step();
      if (!row) return failure(std::move(row));
      if (!*row) return lanes;
      lanes.push_back(read_lane_row(*statement));
    }
  });
}

Result<bool> Database::has_undelivered_below(LaneNumber lane, std::uint64_t epoch) {
  return store_->read([lane, epoch](Connection& connection) -> Result<bool> {
    auto statement = connection.prepare(
        "SELECT 1 FROM main.write_aside_journal WHERE lane = ?1 AND epoch < ?2 AND delivered_at IS NULL "
        "AND coalesce(adopted_epoch, epoch) < ?2 LIMIT 1",
        "read the journal");
    if (!statement) return failure(std::move(statement));
    return statement->bind_all(lane, epoch).step();
  });
}

Result<std::optional<std::string>> Database::progress(std::string_view source) {
  return store_->read([source](Connection& connection) { return read_progress(connection, source); });
}

Result<std::string> Database::table_prefix() { return std::string("main.write_aside_"); }

Result<void> Database::end_session(const std::string&, ports::Deadline) {
  // SQLite has no server where a COMMIT could still be under way: a connection that failed is closed, and the write
  // lock, which the tombstone needs, is free only when no transaction is open.
  return {};
}

}  // namespace write_aside::sqlite
