// A prepared statement in use.
//
// It belongs to its Connection and must not outlive it. When it is destroyed it is reset, its bindings are cleared,
// and its place in the connection's cache is free again. Text and bytes are bound without a copy: they must live
// until the last step.
//
//   auto insert = connection.prepare("insert into t values (?, ?)", "insert into t");
//   if (!insert) return failure(insert);
//   if (auto done = insert->bind_all(id, name).run(); !done) return failure(done);
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "adapters/sqlite_handles/statement_cache.hpp"
#include "write_aside/result.hpp"
#include "write_aside/value.hpp"

namespace write_aside::sqlite_handles {

class Connection;

class Statement {
 public:
  Statement(Connection& connection, StatementCache::Entry& entry, std::string_view what);
  Statement(Connection& connection, StatementHandle handle, std::string_view what);  // not cached
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Parameters count from 1. A parameter that cannot be bound makes the next step fail.
  Statement& bind(int index, std::nullptr_t);
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, double value);
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, const char* text) { return bind(index, std::string_view(text)); }
  Statement& bind(int index, BlobView blob);
  Statement& bind_parameter(int index, const Parameter& parameter);
  template <std::integral T>
  Statement& bind(int index, T value) {
    return bind(index, static_cast<std::int64_t>(value));
  }
  template <class T>
  Statement& bind(int index, const std::optional<T>& value) {
    return value ? bind(index, *value) : bind(index, nullptr);
  }
  template <class... T>
  Statement& bind_all(const T&... values) {
    int index = 0;
    (bind(++index, values), ...);
    return *this;
  }

  // True: there is a row, whose columns can be read until the next step.
  [[nodiscard]] Result<bool> step();
  // Steps to the end; the number of rows that an INSERT, UPDATE or DELETE changed.
  [[nodiscard]] Result<std::int64_t> run();
  // Ready to be bound and stepped again.
  void reset();

  // Columns count from 0. Views live until the next step or reset.
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::string_view blob(int column) const;
  template <std::integral T>
  [[nodiscard]] T integer_as(int column) const {
    return static_cast<T>(integer(column));
  }

  [[nodiscard]] sqlite3_stmt* raw() const { return raw_; }

 private:
  void note(int code);

  Connection* connection_;
  StatementCache::Entry* entry_ = nullptr;
  StatementHandle own_;
  sqlite3_stmt* raw_;
  std::string_view what_;
  int bind_code_ = 0;  // the first parameter that could not be bound
};

}  // namespace write_aside::sqlite_handles
