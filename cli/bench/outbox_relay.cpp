#include "bench/outbox_relay.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "bench/workload.hpp"

namespace write_aside::cli::bench {
namespace {

using namespace std::chrono_literals;

constexpr int rows_per_round_max = 500;

std::int64_t wall_clock_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Numbers alone, so they go into the text: a list of placeholders would be another statement for every length.
std::string delete_statement(const Rows& rows) {
  std::string sql = fmt::format("delete from {} where id in (", outbox_table);
  for (const auto& row : rows.rows) {
    sql += fmt::format("{}{}", &row == rows.rows.data() ? "" : ", ", std::get<std::int64_t>(row.front()));
  }
  return sql + ")";
}

}  // namespace

OutboxRelay::OutboxRelay(Stores stores, std::chrono::milliseconds pause) : stores_(std::move(stores)), pause_(pause) {}

Result<std::unique_ptr<OutboxRelay>> OutboxRelay::start(const Stores& stores, std::chrono::milliseconds pause) {
  std::unique_ptr<OutboxRelay> relay(new OutboxRelay(stores, pause));
  auto producer = stores.stream->producer(*relay);
  if (!producer) return failure(producer);
  relay->producer_ = *std::move(producer);
  relay->thread_ = std::thread([&self = *relay] { self.run(); });
  return relay;
}

OutboxRelay::~OutboxRelay() {
  {
    const std::lock_guard guard(lock_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void OutboxRelay::run() {
  for (;;) {
    {
      const std::lock_guard guard(lock_);
      if (stopping_) return;
      ++begun_count_;
    }
    const auto moved = relay_some();
    std::unique_lock guard(lock_);
    if (!moved) {
      error_ = moved.error();
      changed_.notify_all();
      return;
    }
    if (*moved > 0) continue;
    empty_round_ = begun_count_;
    changed_.notify_all();
    changed_.wait_for(guard, pause_, [this] { return stopping_; });
  }
}

Result<std::size_t> OutboxRelay::relay_some() {
  auto session = stores_.database->session(soon());
  if (!session) return failure(session);
  if (auto begun = (*session)->begin(soon()); !begun) return failure(begun);
  const auto rows = (*session)->execute(fmt::format("select id, event_id, event_key, event_type, value from {} order "
                                                    "by id limit {}",
                                                    outbox_table, rows_per_round_max),
                                        {});
  if (!rows) return failure(rows);
  if (!rows->rows.empty()) {
    if (auto published = publish(*rows); !published) return failure(published);
    if (auto deleted = (*session)->execute(delete_statement(*rows), {}); !deleted) return failure(deleted);
  }
  auto reply = (*session)->commit(soon());
  if (reply.state != ports::CommitReply::State::committed) return failure(*std::move(reply.error));
  return rows->rows.size();
}

Result<void> OutboxRelay::publish(const Rows& rows) {
  std::vector<std::array<ports::HeaderView, 4>> headers;
  std::vector<ports::RecordView> records;
  headers.reserve(rows.rows.size());
  records.reserve(rows.rows.size());
  const std::int64_t now_ms = wall_clock_ms();
  for (const auto& row : rows.rows) {
    const auto text = [&row](std::size_t column) -> std::string_view { return std::get<std::string>(row[column]); };
    const auto& written = headers.emplace_back(std::array<ports::HeaderView, 4>{
        {{"ce_id", text(1)}, {"ce_source", topic}, {"ce_type", text(3)}, {"ce_specversion", "1.0"}}});
    records.push_back({.topic = topic, .key = text(2), .value = text(4), .headers = written, .timestamp_ms = now_ms});
  }
  std::unique_lock guard(lock_);
  delivery_.reset();
  const std::uint64_t token = ++token_;
  guard.unlock();
  if (auto produced = producer_->produce(records, token); !produced) return produced;
  guard.lock();
  if (!changed_.wait_until(guard, soon(), [this] { return delivery_.has_value(); })) {
    return failure(Error{ErrorCode::timeout,
                         Side::stream,
                         Effect::unknown,
                         true,
                         fmt::format("publishing from the outbox was not acknowledged within {} s", patience.count()),
                         {}});
  }
  if (!*delivery_) return failure(*delivery_);
  return {};
}

void OutboxRelay::delivered(std::uint64_t token, Result<std::int64_t> first_offset) {
  const std::lock_guard guard(lock_);
  if (token != token_) return;
  delivery_ = std::move(first_offset);
  changed_.notify_all();
}

void OutboxRelay::await_empty(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock guard(lock_);
  const std::uint64_t asked = begun_count_;
  changed_.wait_until(guard, deadline, [&] { return error_ || empty_round_ > asked; });
}

std::optional<Error> OutboxRelay::error() {
  const std::lock_guard guard(lock_);
  return error_;
}

}  // namespace write_aside::cli::bench
