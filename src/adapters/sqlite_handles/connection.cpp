#include "adapters/sqlite_handles/connection.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <random>
#include <thread>
#include <utility>

#include "adapters/sqlite_handles/errors.hpp"

namespace write_aside::sqlite_handles {
namespace {

constexpr std::chrono::microseconds first_sleep{100};
constexpr std::chrono::microseconds longest_sleep{5'000};
constexpr std::chrono::milliseconds wal_switch_wait{20};
constexpr std::size_t sql_bytes_max = 1'000'000;

}  // namespace

struct Connection::BusyWait {
  std::chrono::milliseconds timeout{0};
  Deadline deadline{};
  bool bounded = false;  // wait_until was called
};

void CloseConnection::operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }

bool sleep_before_retry(int attempt, Deadline deadline) {
  const auto left = deadline - std::chrono::steady_clock::now();
  if (left <= std::chrono::steady_clock::duration::zero()) return false;
  // Two processes that failed together must not try again together.
  thread_local std::minstd_rand random{std::random_device{}()};
  const std::chrono::microseconds ceiling = std::min(first_sleep * (1 << std::min(attempt, 6)), longest_sleep);
  std::uniform_int_distribution<std::int64_t> pick(ceiling.count() / 2, ceiling.count());
  std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(std::chrono::microseconds(pick(random)), left));
  return true;
}

int Connection::on_busy(void* wait, int count) {
  auto& busy = *static_cast<BusyWait*>(wait);
  if (busy.timeout <= std::chrono::milliseconds::zero()) return 0;
  if (count == 0 && !busy.bounded) busy.deadline = std::chrono::steady_clock::now() + busy.timeout;
  return sleep_before_retry(count, busy.deadline) ? 1 : 0;
}

Connection::Connection(ConnectionHandle own, sqlite3* raw, Side side, std::string name, std::size_t statements_max)
    : busy_(std::make_unique<BusyWait>()),
      own_(std::move(own)),
      raw_(raw),
      side_(side),
      name_(std::move(name)),
      cache_(statements_max),
      foreign_(statements_max) {}
Connection::Connection(Connection&&) noexcept = default;
Connection::~Connection() = default;

Result<Connection> Connection::open(const std::string& path, const ConnectionOptions& options) {
  const int flags =
      SQLITE_OPEN_READWRITE | (options.create ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  ConnectionHandle own(raw);
  if (code != SQLITE_OK) {
    const char* said = raw != nullptr ? sqlite3_errmsg(raw) : sqlite3_errstr(code);
    return failure(make_error(code, options.side, options.name, "open", said));
  }
  Connection connection(std::move(own), raw, options.side, options.name, options.statements_max);
  if (auto configured = connection.configure(options); !configured) return failure(configured);
  return connection;
}

Connection Connection::borrow(sqlite3* handle, Side side, std::string name) {
  return {nullptr, handle, side, std::move(name), 64};
}

Result<void> Connection::configure(const ConnectionOptions& options) {
  busy_->timeout = options.busy_timeout;
  sqlite3_busy_handler(raw_, &Connection::on_busy, busy_.get());
  // Read before anything is written, so that a file that is not a database says so.
  if (auto read = run("PRAGMA schema_version", "open"); !read) return read;
  if (sqlite3_db_readonly(raw_, "main") == 1) return failure(error(SQLITE_READONLY, "open", "the file is read-only"));
  if (auto switched = switch_to_wal(); !switched) return switched;
  const std::string synchronous = options.synchronous_normal ? "NORMAL" : "FULL";
  for (const std::string& pragma :
       {"PRAGMA synchronous=" + synchronous, std::string("PRAGMA foreign_keys=ON"),
        "PRAGMA wal_autocheckpoint=" + std::to_string(options.wal_autocheckpoint_pages),
        std::string(options.secure_delete_fast ? "PRAGMA secure_delete=FAST" : "PRAGMA secure_delete"),
        std::string(options.query_only ? "PRAGMA query_only=ON" : "PRAGMA query_only=OFF")}) {
    if (auto set = run(pragma, "configure the connection"); !set) return set;
  }
  auto held = read_text("PRAGMA synchronous", "configure the connection");
  if (!held) return failure(std::move(held));
  if (*held != (options.synchronous_normal ? "1" : "2")) {
    return failure(error(SQLITE_ERROR, "configure the connection", "synchronous=" + synchronous + " did not hold"));
  }
  forget_statements();
  return {};
}

Result<void> Connection::switch_to_wal() {
  // Two connections that both read a new file and both want to change its mode wait for each other: waits are short
  // and are begun anew, so that each lets go of the file in between.
  const Deadline deadline = std::chrono::steady_clock::now() + busy_->timeout;
  for (int attempt = 0;; ++attempt) {
    wait_until(std::chrono::steady_clock::now() + wal_switch_wait);
    auto mode = read_text("PRAGMA journal_mode=WAL", "switch to WAL mode");
    busy_->bounded = false;
    if (mode && *mode == "wal") return {};
    if (mode) {
      return failure(error(SQLITE_CANTOPEN, "switch to WAL mode", "the file system does not allow it"));
    }
    if (mode.error().code != ErrorCode::busy || busy_->timeout <= std::chrono::milliseconds::zero() ||
        !sleep_before_retry(attempt, deadline)) {
      return failure(std::move(mode));
    }
  }
}

Result<std::string> Connection::read_text(std::string_view sql, std::string_view what) {
  auto statement = prepare(sql, what);
  if (!statement) return failure(std::move(statement));
  auto row = statement->step();
  if (!row) return failure(std::move(row));
  return std::string(*row ? statement->text(0) : std::string_view());
}

void Connection::wait_until(Deadline deadline) {
  busy_->deadline = std::min(deadline, std::chrono::steady_clock::now() + busy_->timeout);
  busy_->bounded = true;
}

Result<Statement> Connection::prepare(std::string_view sql, std::string_view what) {
  return prepare_in(cache_, sql, what, nullptr);
}

Result<Statement> Connection::prepare_foreign(std::string_view sql, std::string_view what, const Checks& checks) {
  return prepare_in(foreign_, sql, what, &checks);
}

Result<Statement> Connection::prepare_in(StatementCache& cache, std::string_view sql, std::string_view what,
                                         const Checks* checks) {
  StatementCache::Entry* entry = cache.find(sql);
  if (entry != nullptr && !entry->in_use) return Statement(*this, *entry, what);
  if (checks != nullptr) {
    if (auto allowed = checks->text(*this, sql); !allowed) return failure(std::move(allowed));
  }

  sqlite3_stmt* raw = nullptr;
  const char* tail = sql.data() + sql.size();
  // A text too long for an int is refused here, not cut.
  const int code = sql.size() > sql_bytes_max ? SQLITE_TOOBIG
                                              : sqlite3_prepare_v3(raw_, sql.data(), static_cast<int>(sql.size()),
                                                                   SQLITE_PREPARE_PERSISTENT, &raw, &tail);
  StatementHandle handle(raw);
  if (code == SQLITE_TOOBIG) return failure(error(code, what, "the statement is too long"));
  if (code != SQLITE_OK) return failure(error(code, what));
  if (checks != nullptr) {
    const auto rest = sql.substr(static_cast<std::size_t>(tail - sql.data()));
    if (auto allowed = checks->tail(*this, rest); !allowed) return failure(std::move(allowed));
  }
  if (raw == nullptr) return failure(error(SQLITE_ERROR, what, "the statement is empty"));
  entry = cache.insert(sql, handle);
  if (entry != nullptr) return Statement(*this, *entry, what);
  return Statement(*this, std::move(handle), what);
}

void Connection::forget_statements() {
  cache_.clear();
  foreign_.clear();
}

Result<void> Connection::run(std::string_view sql, std::string_view what) {
  auto statement = prepare(sql, what);
  if (!statement) return failure(std::move(statement));
  if (auto done = statement->run(); !done) return failure(std::move(done));
  return {};
}

Error Connection::error(int code, std::string_view what) const {
  // A borrowed handle may have extended result codes switched off; the extended code is known all the same.
  const int extended = sqlite3_extended_errcode(raw_);
  if ((extended & 0xff) == (code & 0xff)) code = extended;
  return make_error(code, side_, name_, what, sqlite3_errmsg(raw_));
}

Error Connection::error(int code, std::string_view what, std::string_view said) const {
  return make_error(code, side_, name_, what, said);
}

bool Connection::in_transaction() const { return sqlite3_get_autocommit(raw_) == 0; }

}  // namespace write_aside::sqlite_handles
