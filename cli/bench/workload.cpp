#include "bench/workload.hpp"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <utility>

namespace write_aside::cli::bench {
namespace {

constexpr const char* account_table = "write_aside_bench_account";
constexpr const char* movement_table = "write_aside_bench_movement";
constexpr std::int32_t partitions = 8;
constexpr std::size_t value_bytes = 200;

// Rows of all windows of a run, so that no key is used twice.
std::int64_t next_row_id() {
  static std::atomic<std::int64_t> last{0};
  return ++last;
}

// "(?, ?)" or "($1, $2)"
std::string placeholders(const Dialect& dialect, int count) {
  std::string text;
  for (int at = 1; at <= count; ++at) {
    text += text.empty() ? "(" : ", ";
    text += dialect.numbered_placeholders ? fmt::format("${}", at) : "?";
  }
  return text + ")";
}

std::string fill_accounts(std::uint64_t first, std::uint64_t count) {
  std::string sql = fmt::format("insert into {} values ", account_table);
  for (std::uint64_t id = first; id < first + count; ++id) sql += fmt::format("{}({}, 0)", id == first ? "" : ", ", id);
  return sql;
}

Result<void> make_topic(ports::EventStream& stream) {
  if (auto made = stream.create_topic({.name = topic, .partitions = partitions}, soon()); !made) return failure(made);
  return {};
}

}  // namespace

Result<Rows> run_sql(ports::Database& database, const std::string& sql) {
  auto session = database.session(soon());
  if (!session) return failure(session);
  if (auto begun = (*session)->begin(soon()); !begun) return failure(begun);
  auto rows = (*session)->execute(sql, {});
  if (!rows) return rows;
  auto reply = (*session)->commit(soon());
  if (reply.state != ports::CommitReply::State::committed) return failure(*std::move(reply.error));
  return rows;
}

Workload::Workload(std::shared_ptr<ports::Database> database, const Dialect& dialect) : database_(std::move(database)) {
  const bool numbered = dialect.numbered_placeholders;
  update_ = fmt::format("update {} set balance = balance + 1 where id = {}", account_table, numbered ? "$1" : "?");
  insert_ = fmt::format("insert into {} values {}", movement_table, placeholders(dialect, 3));
  insert_outbox_ = fmt::format("insert into {} values {}", outbox_table, placeholders(dialect, 5));
  value_ = R"({"text":")";
  value_ += std::string(value_bytes - value_.size() - 2, 'x') + R"("})";
}

Workload::~Workload() { (void)remove(); }

Result<std::unique_ptr<Workload>> Workload::make(const Stores& stores, const Dialect& dialect) {
  std::unique_ptr<Workload> workload(new Workload(stores.database, dialect));
  if (auto made = workload->make_tables(); !made) return failure(made);
  if (auto made = make_topic(*stores.stream); !made) return failure(made);
  return workload;
}

Result<void> Workload::make_tables() {
  made_ = true;
  if (auto removed = remove(); !removed) return removed;
  made_ = true;
  for (const std::string& sql :
       {fmt::format("create table {} (id bigint primary key, balance bigint not null)", account_table),
        fmt::format("create table {} (id bigint primary key, account bigint not null, amount bigint not null)",
                    movement_table),
        fmt::format("create table {} (id bigint primary key, event_id varchar(64) not null, event_key varchar(64) "
                    "not null, event_type varchar(64) not null, value varchar(1000) not null)",
                    outbox_table)}) {
    if (auto done = run_sql(*database_, sql); !done) return failure(done);
  }
  constexpr std::uint64_t step = 500;
  for (std::uint64_t first = 0; first < accounts; first += step) {
    if (auto done = run_sql(*database_, fill_accounts(first, step)); !done) return failure(done);
  }
  return {};
}

Result<void> Workload::remove() {
  if (!std::exchange(made_, false)) return {};
  for (const char* table : {account_table, movement_table, outbox_table}) {
    if (auto done = run_sql(*database_, fmt::format("drop table if exists {}", table)); !done) return failure(done);
  }
  return {};
}

Result<void> Workload::write_rows(UnitOfWork& unit, std::uint64_t account) const {
  const auto id = static_cast<std::int64_t>(account);
  if (auto done = unit.execute(update_, {id}); !done) return failure(done);
  if (auto done = unit.execute(insert_, {next_row_id(), id, 1}); !done) return failure(done);
  return {};
}

Event Workload::event(std::uint64_t account, std::string id) const {
  return {
      .topic = topic, .key = std::to_string(account), .type = "account.moved", .value = value_, .id = std::move(id)};
}

Result<void> Workload::write_outbox(UnitOfWork& unit, const Event& event) const {
  auto done = unit.execute(insert_outbox_, {next_row_id(), event.id, *event.key, event.type, *event.value});
  if (!done) return failure(done);
  return {};
}

}  // namespace write_aside::cli::bench
