// A table in memory with whatever column names an input has, for `load`: what its INSERT writes can be read back, so no
// name was taken for SQL.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/fuzz.hpp"
#include "input/row_translator.hpp"
#include "job/planned_unit.hpp"

namespace write_aside::fuzz {

inline constexpr const char* table_name = "or\"ders";

inline cli::RowTarget load_target(bool upsert) { return {{}, table_name, "orders", "id", "order.inserted", upsert}; }

inline std::string name_in_sql(std::string_view name) {
  std::string text(1, '"');
  for (const char letter : name) text += letter == '"' ? std::string("\"\"") : std::string(1, letter);
  return text + '"';
}

class LoadTable {
 public:
  LoadTable() {
    sqlite3* raw = nullptr;
    require(sqlite3_open(":memory:", &raw) == SQLITE_OK, "a database in memory can be opened");
    handle_.reset(raw);
  }

  // False if SQLite cannot have such columns: names that differ only in case, or hold a zero byte.
  bool make(const std::vector<std::string>& columns) {
    std::string names;
    for (const std::string& column : columns) {
      if (column.find('\0') != std::string::npos) return false;
      names += (names.empty() ? "" : ", ") + name_in_sql(column) + (column == "id" ? " PRIMARY KEY" : "");
    }
    return exec("DROP TABLE IF EXISTS " + name_in_sql(table_name)) &&
           exec("CREATE TABLE " + name_in_sql(table_name) + " (" + names + ")");
  }

  // Runs the unit's INSERT, and compares the row with its parameters.
  void insert(const cli::PlannedUnit& unit) {
    require(unit.statements.size() == 1 && unit.events.size() == 1, "a record is one row and one event");
    const cli::PlannedStatement& planned = unit.statements[0];
    const Statement statement = prepare(planned.sql);
    require(sqlite3_bind_parameter_count(statement.get()) == static_cast<int>(planned.parameters.size()),
            "each column has its parameter", planned.sql);
    int index = 0;
    for (const Parameter& parameter : planned.parameters) bind(statement.get(), ++index, parameter);
    require(sqlite3_step(statement.get()) == SQLITE_DONE, "the INSERT runs", planned.sql);
    const Statement row = prepare("SELECT * FROM " + name_in_sql(table_name));
    require(sqlite3_step(row.get()) == SQLITE_ROW, "there is a row", planned.sql);
    for (int column = 0; column < index; ++column) {
      require(same(row.get(), column, planned.parameters[static_cast<std::size_t>(column)]),
              "each value is in its column", planned.sql);
    }
    require(sqlite3_step(row.get()) == SQLITE_DONE, "there is no other row", planned.sql);
  }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Close>;

  bool exec(const std::string& sql) {
    return sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
  }
  Statement prepare(std::string_view sql) {
    sqlite3_stmt* raw = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &raw, &tail);
    Statement statement(raw);
    require(code == SQLITE_OK, "it is SQL", std::string(sql) + ": " + sqlite3_errmsg(handle_.get()));
    require(tail == sql.data() + sql.size(), "it is one statement", sql);
    return statement;
  }
  static void bind(sqlite3_stmt* statement, int index, const Parameter& parameter) {
    const auto& storage = parameter.storage();
    if (const auto* text = std::get_if<std::string_view>(&storage)) {
      sqlite3_bind_text(statement, index, text->data() != nullptr ? text->data() : "", static_cast<int>(text->size()),
                        SQLITE_TRANSIENT);
    } else if (const auto* whole = std::get_if<std::int64_t>(&storage)) {
      sqlite3_bind_int64(statement, index, *whole);
    } else if (const auto* real = std::get_if<double>(&storage)) {
      sqlite3_bind_double(statement, index, *real);
    } else if (const auto* truth = std::get_if<bool>(&storage)) {
      sqlite3_bind_int64(statement, index, *truth ? 1 : 0);
    }
  }
  static bool same(sqlite3_stmt* row, int column, const Parameter& parameter) {
    const auto& storage = parameter.storage();
    if (const auto* text = std::get_if<std::string_view>(&storage)) {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(row, column));
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(row, column));
      return *text == std::string_view(bytes != nullptr ? bytes : "", size);
    }
    if (const auto* whole = std::get_if<std::int64_t>(&storage)) return sqlite3_column_int64(row, column) == *whole;
    if (const auto* real = std::get_if<double>(&storage)) return sqlite3_column_double(row, column) == *real;
    if (const auto* truth = std::get_if<bool>(&storage)) return (sqlite3_column_int64(row, column) != 0) == *truth;
    return sqlite3_column_type(row, column) == SQLITE_NULL;
  }

  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace write_aside::fuzz
