// What an operator does with parked events, on a session of the database's own.
#include <chrono>
#include <utility>

#include "consumer/parked_record.hpp"
#include "write_aside/consumer.hpp"

namespace write_aside {
namespace {

constexpr std::chrono::seconds patience{10};

ports::Deadline soon() { return std::chrono::steady_clock::now() + patience; }

// A WHERE clause and its parameters, in the order of their first use.
struct Condition {
  std::string text;
  std::vector<Parameter> parameters;

  explicit Condition(const ParkedFilter& filter, std::string_view state) {
    add("consumer", filter.consumer);
    if (!filter.topic.empty()) add("topic", filter.topic);
    if (filter.partition) add("partition", *filter.partition);
    if (filter.offset) add("record_offset", *filter.offset);
    if (filter.key) add("record_key", BlobView{*filter.key});
    if (!state.empty()) add("state", state);
  }
  void add(std::string_view column, Parameter parameter) {
    parameters.push_back(parameter);
    text += text.empty() ? " WHERE " : " AND ";
    text.append(column).append(" = $").append(std::to_string(parameters.size()));
  }
};

Result<Rows> run(ports::Database& database, std::string_view statement, const Condition& condition,
                 std::string_view end = {}) {
  if (auto schema = database.schema(); !schema) return failure(schema);
  auto prefix = database.table_prefix();
  if (!prefix) return failure(prefix);
  auto session = database.session(soon());
  if (!session) return failure(session);
  if (auto begun = (*session)->begin(soon()); !begun) return failure(begun);
  std::string sql(statement);
  sql.replace(sql.find('@'), 1, *prefix);
  sql.append(condition.text).append(end);
  auto rows = (*session)->execute(sql, condition.parameters);
  if (!rows) {
    static_cast<void>((*session)->rollback());
    return rows;
  }
  const auto reply = (*session)->commit(soon());
  if (reply.state != ports::CommitReply::State::committed) return failure(*reply.error);
  return rows;
}

}  // namespace

Result<std::vector<ParkedEvent>> parked_events(ports::Database& database, const ParkedFilter& filter,
                                               std::size_t count_max) {
  const auto rows =
      run(database, "SELECT topic, partition, record_offset, state, parked_at, error, record FROM @parked",
          Condition(filter, {}), " ORDER BY topic, partition, record_offset LIMIT " + std::to_string(count_max));
  if (!rows) return failure(rows);
  std::vector<ParkedEvent> events;
  for (const auto& row : rows->rows) {
    const ports::TopicPartition partition{std::get<std::string>(row[0]),
                                          static_cast<std::int32_t>(std::get<std::int64_t>(row[1]))};
    auto event = consumer::decode_parked(std::get<Blob>(row[6]).bytes, partition, std::get<std::int64_t>(row[2]));
    if (!event) return failure(event);
    events.push_back({.consumer = filter.consumer,
                      .event = *std::move(event),
                      .state = consumer::parse_state(std::get<std::string>(row[3])),
                      .error = std::get<std::string>(row[5]),
                      .parked_at_ms = std::get<std::int64_t>(row[4])});
  }
  return events;
}

Result<std::uint64_t> retry_parked(ports::Database& database, const ParkedFilter& filter) {
  const auto rows = run(database, "UPDATE @parked SET state = 'retry'", Condition(filter, "parked"));
  if (!rows) return failure(rows);
  return static_cast<std::uint64_t>(rows->changed);
}

Result<std::uint64_t> drop_parked(ports::Database& database, const ParkedFilter& filter) {
  const auto rows = run(database, "DELETE FROM @parked", Condition(filter, {}), " AND state <> 'waiting'");
  if (!rows) return failure(rows);
  return static_cast<std::uint64_t>(rows->changed);
}

}  // namespace write_aside
