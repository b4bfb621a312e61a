#include "adapters/postgresql/database.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "adapters/postgresql/flight.hpp"
#include "adapters/postgresql/own_transaction.hpp"
#include "adapters/postgresql/rows.hpp"
#include "adapters/postgresql/session.hpp"
#include "adapters/postgresql/tables.hpp"
#include "adapters/postgresql/transaction_end.hpp"
#include "adapters/postgresql/unit_statements.hpp"

namespace write_aside::postgresql {
namespace {

using ports::LaneRow;
using ports::LaneSummary;
using std::chrono::milliseconds;

constexpr std::chrono::seconds read_patience{10};
constexpr std::chrono::seconds init_patience{30};
// Between two looks at a session that is being ended; doubled from the first to the last.
constexpr milliseconds first_pause{1};
constexpr milliseconds last_pause{50};

ports::Deadline after(std::chrono::seconds patience) { return std::chrono::steady_clock::now() + patience; }

// One statement outside any transaction.
Result<ResultHandle> read(const std::shared_ptr<Store>& store, std::string_view sql, std::string_view what,
                          const Arguments& arguments) {
  const auto deadline = after(read_patience);
  auto lease = Store::lease(store, Purpose::own, deadline);
  if (!lease) return failure(std::move(lease));
  Flight flight(lease->connection(), what);
  flight.queue_own(sql, arguments);
  return flight.run(deadline);
}

// False: there is no such session any more, or none that the role may see. The latter may be somebody else's with the
// same pid. Either way the tombstone decides, not this: it waits for a transaction that still holds the unit's row.
Result<bool> terminate(Connection& connection, const std::string& pid, const std::string& start,
                       ports::Deadline deadline) {
  Flight flight(connection, "end the lost session");
  flight.queue_own(
      "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid = $1::integer "
      "AND (extract(epoch FROM backend_start) * 1000000)::pg_catalog.int8 = $2::pg_catalog.int8",
      Arguments::of(pid, start));
  auto answer = flight.run(deadline);
  if (answer) return PQntuples(answer->get()) > 0;
  Error error = std::move(answer).error();
  if (error.driver == "42501") error.message += "; grant pg_signal_backend to the role, or use one role for all";
  return failure(std::move(error));
}

}  // namespace

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
  const auto deadline = after(init_patience);
  auto lease = Store::lease(store_, Purpose::own, deadline, false);
  if (!lease) return failure(std::move(lease));
  Connection& connection = lease->connection();
  const std::string found_before = connection.table_prefix();
  connection.begin_with_next("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
  auto schema = make_tables(connection, store_->options().schema, lanes, deadline);
  if (!schema) {
    (void)roll_back(connection);
    connection.set_table_prefix(found_before);
    return schema;
  }
  auto reply = commit_transaction(connection, nullptr, deadline);
  if (reply.state != ports::CommitReply::State::committed) return failure(std::move(*reply.error));
  return schema;
}

Result<ports::Schema> Database::schema() {
  const auto deadline = after(read_patience);
  auto lease = Store::lease(store_, Purpose::own, deadline);
  if (!lease) return failure(std::move(lease));
  return read_schema(lease->connection(), deadline);
}

Result<std::unique_ptr<ports::Session>> Database::session(ports::Deadline) {
  // The connection comes with begin().
  return std::make_unique<Session>(store_);
}

Result<std::unique_ptr<ports::OwnTransaction>> Database::own_transaction(ports::Deadline deadline) {
  auto lease = Store::lease(store_, Purpose::own, deadline);
  if (!lease) return failure(std::move(lease));
  return std::make_unique<OwnTransaction>(std::move(*lease), deadline);
}

Result<std::vector<LaneSummary>> Database::lanes() {
  auto result = read(store_,
                     "SELECT " WRITE_ASIDE_POSTGRESQL_LANE_COLUMNS
                     ", (SELECT count(*) FROM @journal AS j WHERE j.lane = l.lane AND j.delivered_at IS NULL)"
                     ", (SELECT count(*) FROM @journal AS j WHERE j.lane = l.lane AND j.delivered_at IS NOT NULL)"
                     " FROM @lane AS l ORDER BY lane",
                     "read the lanes", {});
  if (!result) return failure(std::move(result));
  std::vector<LaneSummary> lanes;
  const int count = PQntuples(result->get());
  for (int row = 0; row < count; ++row) {
    const Columns columns(result->get(), row);
    lanes.push_back(
        {read_lane_row(columns), columns.integer_as<std::uint64_t>(13), columns.integer_as<std::uint64_t>(14)});
  }
  return lanes;
}

Result<std::optional<LaneRow>> Database::lane(LaneNumber lane) {
  auto result = read(store_, "SELECT " WRITE_ASIDE_POSTGRESQL_LANE_COLUMNS " FROM @lane WHERE lane = $1",
                     "read the lane", Arguments::of(lane));
  if (!result) return failure(std::move(result));
  if (PQntuples(result->get()) == 0) return std::nullopt;
  return read_lane_row(Columns(result->get(), 0));
}

Result<std::vector<LaneRow>> Database::lanes_in_use() {
  auto result = read(store_,
                     "SELECT " WRITE_ASIDE_POSTGRESQL_LANE_COLUMNS
                     " FROM @lane AS l WHERE owner <> '' OR (SELECT true FROM @journal AS j WHERE j.lane = l.lane "
                     "AND j.delivered_at IS NULL LIMIT 1) ORDER BY lane",
                     "read the lanes in use", {});
  if (!result) return failure(std::move(result));
  std::vector<LaneRow> lanes;
  const int count = PQntuples(result->get());
  for (int row = 0; row < count; ++row) lanes.push_back(read_lane_row(Columns(result->get(), row)));
  return lanes;
}

Result<bool> Database::has_undelivered_below(LaneNumber lane, std::uint64_t epoch) {
  auto result = read(store_,
                     "SELECT 1 FROM @journal WHERE lane = $1 AND epoch < $2 AND delivered_at IS NULL "
                     "AND coalesce(adopted_epoch, epoch) < $2 LIMIT 1",
                     "read the journal", Arguments::of(lane, epoch));
  if (!result) return failure(std::move(result));
  return PQntuples(result->get()) > 0;
}

Result<std::optional<std::string>> Database::progress(std::string_view source) {
  const auto deadline = after(read_patience);
  auto lease = Store::lease(store_, Purpose::own, deadline);
  if (!lease) return failure(std::move(lease));
  return read_progress(lease->connection(), source, deadline);
}

Result<std::string> Database::table_prefix() {
  auto lease = Store::lease(store_, Purpose::own, after(read_patience));
  if (!lease) return failure(std::move(lease));
  return lease->connection().table_prefix();
}

Result<void> Database::end_session(const std::string& identity, ports::Deadline deadline) {
  const std::size_t colon = identity.find(':');
  if (colon == std::string::npos) return {};  // of a session that never was
  auto lease = Store::lease(store_, Purpose::own, deadline);
  if (!lease) return failure(std::move(lease));
  milliseconds pause = first_pause;
  for (;;) {
    auto there = terminate(lease->connection(), identity.substr(0, colon), identity.substr(colon + 1), deadline);
    if (!there) return failure(std::move(there));
    if (!*there) return {};
    if (std::chrono::steady_clock::now() + pause >= deadline) {
      return failure(timeout_error(name(), "end the lost session"));
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, last_pause);
  }
}

}  // namespace write_aside::postgresql
