#include "adapters/sqlite_handles/statement.hpp"

#include <sqlite3.h>

#include <utility>
#include <variant>

#include "adapters/sqlite_handles/connection.hpp"

namespace write_aside::sqlite_handles {

Statement::Statement(Connection& connection, StatementCache::Entry& entry, std::string_view what)
    : connection_(&connection), entry_(&entry), raw_(entry.handle.get()), what_(what) {
  entry.in_use = true;
}

Statement::Statement(Connection& connection, StatementHandle handle, std::string_view what)
    : connection_(&connection), own_(std::move(handle)), raw_(own_.get()), what_(what) {}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      entry_(std::exchange(other.entry_, nullptr)),
      own_(std::move(other.own_)),
      raw_(std::exchange(other.raw_, nullptr)),
      what_(other.what_),
      bind_code_(other.bind_code_) {}

Statement::~Statement() {
  if (entry_ == nullptr) return;
  reset();
  entry_->in_use = false;
}

void Statement::note(int code) {
  if (bind_code_ == SQLITE_OK) bind_code_ = code;
}

Statement& Statement::bind(int index, std::nullptr_t) {
  note(sqlite3_bind_null(raw_, index));
  return *this;
}
Statement& Statement::bind(int index, std::int64_t value) {
  note(sqlite3_bind_int64(raw_, index, value));
  return *this;
}
Statement& Statement::bind(int index, double value) {
  note(sqlite3_bind_double(raw_, index, value));
  return *this;
}
Statement& Statement::bind(int index, std::string_view text) {
  // A null pointer would bind NULL, and an empty view may hold one.
  const char* data = text.data() != nullptr ? text.data() : "";
  note(sqlite3_bind_text64(raw_, index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}
Statement& Statement::bind(int index, BlobView blob) {
  const char* data = blob.bytes.data() != nullptr ? blob.bytes.data() : "";
  note(sqlite3_bind_blob64(raw_, index, data, blob.bytes.size(), SQLITE_STATIC));
  return *this;
}
Statement& Statement::bind_parameter(int index, const Parameter& parameter) {
  std::visit(
      [&](const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) {
          bind(index, nullptr);
        } else {
          bind(index, value);
        }
      },
      parameter.storage());
  return *this;
}

Result<bool> Statement::step() {
  if (bind_code_ != SQLITE_OK) return failure(connection_->error(bind_code_, what_, "a parameter could not be bound"));
  const int code = sqlite3_step(raw_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return failure(connection_->error(code, what_));
}

Result<std::int64_t> Statement::run() {
  sqlite3* database = sqlite3_db_handle(raw_);
  const std::int64_t before = sqlite3_total_changes64(database);
  for (;;) {
    auto row = step();
    if (!row) return failure(std::move(row));
    if (!*row) break;
  }
  // sqlite3_changes keeps the count of an earlier statement when this one changed nothing by its nature (DDL).
  return sqlite3_total_changes64(database) == before ? 0 : sqlite3_changes64(database);
}

void Statement::reset() {
  if (raw_ == nullptr) return;
  sqlite3_reset(raw_);
  sqlite3_clear_bindings(raw_);
  bind_code_ = SQLITE_OK;
}

bool Statement::is_null(int column) const { return sqlite3_column_type(raw_, column) == SQLITE_NULL; }
std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(raw_, column); }
double Statement::real(int column) const { return sqlite3_column_double(raw_, column); }

std::string_view Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(raw_, column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(raw_, column))};
}

std::string_view Statement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(raw_, column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(raw_, column))};
}

}  // namespace write_aside::sqlite_handles
