#include "adapters/postgresql/user_statement.hpp"

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/postgresql/flight.hpp"
#include "adapters/postgresql/rows.hpp"
#include "adapters/postgresql/statement_text.hpp"

namespace write_aside::postgresql {
namespace {

// The types that have a Value of their own; all others are given as text. Numbers of the server's catalogue.
constexpr Oid bool_type = 16;
constexpr Oid bytea_type = 17;
constexpr Oid int8_type = 20;
constexpr Oid int2_type = 21;
constexpr Oid int4_type = 23;
constexpr Oid oid_type = 26;
constexpr Oid float4_type = 700;
constexpr Oid float8_type = 701;

double to_double(std::string_view text) {
  // from_chars reads the server's Infinity and NaN as well.
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Value read_value(const PGresult* result, int row, int column) {
  const Columns columns(result, row);
  if (columns.is_null(column)) return std::monostate{};
  switch (PQftype(result, column)) {
    case bool_type:
      return columns.boolean(column);
    case int2_type:
    case int4_type:
    case int8_type:
    case oid_type:
      return columns.integer(column);
    case float4_type:
    case float8_type:
      return to_double(columns.text(column));
    case bytea_type:
      return Blob{columns.bytes(column)};
    default:
      return std::string(columns.text(column));
  }
}

// Keeps at most row_count_max rows; the rest of a larger result is read and dropped, so that the connection stays.
class Collector final : public RowSink {
 public:
  void take(const PGresult* result, int row) override {
    if (rows_.rows.size() == row_count_max) {
      overflowed_ = true;
      return;
    }
    const int columns = PQnfields(result);
    std::vector<Value>& values = rows_.rows.emplace_back();
    values.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column) values.push_back(read_value(result, row, column));
  }

  [[nodiscard]] bool overflowed() const { return overflowed_; }
  // `last` describes the columns, and tells how many rows were changed.
  [[nodiscard]] Rows finish(const PGresult* last) {
    const int columns = PQnfields(last);
    rows_.columns.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column) rows_.columns.emplace_back(PQfname(last, column));
    const std::string_view tag = PQcmdStatus(const_cast<PGresult*>(last));
    // SELECT and FETCH count what they gave, not what they changed.
    if (tag.starts_with("INSERT") || tag.starts_with("UPDATE") || tag.starts_with("DELETE") ||
        tag.starts_with("MERGE")) {
      rows_.changed = changed_rows(last);
    }
    return std::move(rows_);
  }

 private:
  Rows rows_;
  bool overflowed_ = false;
};

Error refused(const Connection& connection, const std::string& why) {
  return {ErrorCode::invalid_argument,
          Side::caller,
          Effect::no,
          false,
          "statement refused on " + connection.name() + ": " + why,
          {}};
}

}  // namespace

namespace {

constexpr std::size_t flight_statements_max =
    128;  // fewer than the cache holds: none makes room for another of its flight
constexpr std::size_t flight_bytes_max = 1 << 20;

class Dropper final : public RowSink {
 public:
  void take(const PGresult*, int) override {}
};

std::size_t bytes_of(const Statement& statement) {
  std::size_t bytes = statement.sql.size();
  for (const Parameter& parameter : statement.parameters) {
    if (const auto* text = std::get_if<std::string_view>(&parameter.storage())) bytes += text->size();
    if (const auto* blob = std::get_if<BlobView>(&parameter.storage())) bytes += blob->bytes.size();
  }
  return bytes;
}

Result<Arguments> arguments_of(Connection& connection, const Statement& statement) {
  if (auto good = check_statement_text(statement.sql, connection.name()); !good) return failure(std::move(good));
  Arguments arguments = Arguments::of_parameters(statement.parameters);
  if (!arguments.holds_nul()) return arguments;
  return failure(refused(connection, "a text holds a NUL character, which PostgreSQL cannot store; use bytea"));
}

}  // namespace

std::span<const Statement> first_flight(std::span<const Statement> statements) {
  std::size_t bytes = 0;
  std::size_t count = 0;
  while (count < statements.size() && count < flight_statements_max && bytes < flight_bytes_max) {
    bytes += bytes_of(statements[count++]);
  }
  return statements.first(count);
}

Result<void> run_user_statements(Connection& connection, std::span<const Statement> statements, std::size_t& done,
                                 ports::Deadline deadline) {
  done = 0;
  // Those before one that is refused here are run all the same: the first one that fails is to be told.
  std::vector<Arguments> arguments;
  arguments.reserve(statements.size());
  std::optional<Error> refusal;
  for (const Statement& statement : statements) {
    auto good = arguments_of(connection, statement);
    if (!good) refusal = good.error();
    if (refusal) break;
    arguments.push_back(*std::move(good));
  }
  if (!arguments.empty()) {
    Flight flight(connection, "statement");
    for (std::size_t i = 0; i < arguments.size(); ++i) flight.queue_user(statements[i].sql, arguments[i]);
    if (auto sent = flight.send(); !sent) return sent;
    Dropper rows;
    for (; done < arguments.size(); ++done) {
      auto answer = flight.take(deadline, &rows);
      if (answer) continue;
      if (!connection.is_broken()) {
        if (auto landed = flight.land(deadline); !landed) return landed;
      }
      return failure(std::move(answer));
    }
    if (auto landed = flight.land(deadline); !landed) return landed;
  }
  if (refusal) return failure(*std::move(refusal));
  return {};
}

Result<Rows> run_user_statement(Connection& connection, std::string_view sql, std::span<const Parameter> parameters,
                                ports::Deadline deadline) {
  const auto arguments = arguments_of(connection, {sql, parameters});
  if (!arguments) return failure(arguments);
  Flight flight(connection, "statement");
  flight.queue_user(sql, *arguments);
  Collector collector;
  auto last = flight.run(deadline, &collector);
  if (!last) return failure(std::move(last));
  if (collector.overflowed()) {
    Error error =
        refused(connection, "its result has more than " + std::to_string(row_count_max) + " rows; add a LIMIT");
    error.effect = Effect::yes;  // what a statement with RETURNING changed stays changed
    return failure(std::move(error));
  }
  return collector.finish(last->get());
}

}  // namespace write_aside::postgresql
