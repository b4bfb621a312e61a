#include "adapters/sqlite/user_statement.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string>
#include <utility>

namespace write_aside::sqlite {
namespace {

using sqlite_handles::Connection;
using sqlite_handles::Statement;

// What SQLite's tokenizer passes over before and between statements: space, comments, semicolons, a byte order mark.
std::string_view skip_blank(std::string_view sql) {
  while (!sql.empty()) {
    if (sql.starts_with("--")) {
      sql.remove_prefix(std::min(sql.find('\n'), sql.size()));
    } else if (sql.starts_with("/*")) {
      const std::size_t end = sql.find("*/", 2);
      sql.remove_prefix(end == std::string_view::npos ? sql.size() : end + 2);
    } else if (sql.starts_with("\xEF\xBB\xBF")) {
      sql.remove_prefix(3);
    } else if (sql.front() == ';' || std::string_view(" \t\r\n\f").find(sql.front()) != std::string_view::npos) {
      sql.remove_prefix(1);
    } else {
      break;
    }
  }
  return sql;
}

// The word at the front of `sql`, in upper case; `sql` moves behind it and behind what is blank after it.
std::string take_word(std::string_view& sql) {
  std::string word;
  while (word.size() < sql.size()) {
    const auto letter = static_cast<unsigned char>(sql[word.size()]);
    if (std::isalnum(letter) == 0 && letter != '_') break;
    word.push_back(static_cast<char>(std::toupper(letter)));
  }
  sql = skip_blank(sql.substr(word.size()));
  return word;
}

struct Pragma {
  std::string name;
  bool sets = false;  // a value follows
};

// The name of a PRAGMA may be qualified (`main.synchronous`) and quoted.
Pragma read_pragma(std::string_view sql) {
  Pragma pragma;
  for (int part = 0; part < 2; ++part) {
    const bool quoted = !sql.empty() && std::string_view("\"'`[").find(sql.front()) != std::string_view::npos;
    if (quoted) sql.remove_prefix(1);
    pragma.name = take_word(sql);
    if (quoted && !sql.empty()) sql = skip_blank(sql.substr(1));
    if (!sql.starts_with('.')) break;
    sql = skip_blank(sql.substr(1));
  }
  pragma.sets = sql.starts_with('=') || sql.starts_with('(');
  return pragma;
}

// Why a statement may not run in a unit; none: it may.
const char* refusal(std::string_view sql) {
  const std::string word = take_word(sql);
  if (word == "COMMIT" || word == "END") return "call commit() on the unit instead";
  if (word == "ROLLBACK") return "call rollback() or rollback_to_savepoint() on the unit instead";
  if (word == "BEGIN") return "the unit is the transaction already";
  if (word == "SAVEPOINT" || word == "RELEASE") {
    return "call savepoint() and release_savepoint() on the unit instead, which take its events along";
  }
  if (word == "ATTACH" || word == "DETACH") return "a transaction over several files in WAL mode is not atomic";
  if (word == "PRAGMA") {
    static constexpr std::array settings = {"JOURNAL_MODE", "SYNCHRONOUS",  "LOCKING_MODE",   "QUERY_ONLY",
                                            "BUSY_TIMEOUT", "FOREIGN_KEYS", "WRITABLE_SCHEMA"};
    const Pragma pragma = read_pragma(sql);
    if (pragma.sets && std::find(settings.begin(), settings.end(), pragma.name) != settings.end()) {
      return "the setting belongs to the connection, not to a unit";
    }
  }
  return nullptr;
}

tl::unexpected<Error> refused(const Connection& connection, const std::string& why) {
  return failure({ErrorCode::invalid_argument,
                  Side::caller,
                  Effect::no,
                  false,
                  "statement refused on " + connection.name() + ": " + why,
                  {}});
}

Result<void> check_text(const Connection& connection, std::string_view sql) {
  // SQLite stops reading at a NUL; what follows would be dropped without a word.
  if (sql.find('\0') != std::string_view::npos) return refused(connection, "it holds a NUL character");
  const std::string_view start = skip_blank(sql);
  if (start.empty()) return refused(connection, "it is empty");
  if (const char* why = refusal(start); why != nullptr) {
    std::string_view rest = start;
    return refused(connection, take_word(rest) + " is not for units: " + why);
  }
  return {};
}

Result<void> check_tail(const Connection& connection, std::string_view rest) {
  if (skip_blank(rest).empty()) return {};
  return refused(connection, "it holds more than one statement; pass them one by one");
}

Value read_value(const Statement& statement, int column) {
  switch (sqlite3_column_type(statement.raw(), column)) {
    case SQLITE_INTEGER:
      return statement.integer(column);
    case SQLITE_FLOAT:
      return statement.real(column);
    case SQLITE_TEXT:
      return std::string(statement.text(column));
    case SQLITE_BLOB:
      return Blob{std::string(statement.blob(column))};
    default:
      return std::monostate{};
  }
}

std::vector<Value> read_row(const Statement& statement, int columns) {
  std::vector<Value> row;
  row.reserve(static_cast<std::size_t>(columns));
  for (int column = 0; column < columns; ++column) row.push_back(read_value(statement, column));
  return row;
}

// Read after the first step, which prepares the statement again if the schema has changed.
void read_columns(const Statement& statement, Rows& rows) {
  const int columns = sqlite3_column_count(statement.raw());
  rows.columns.reserve(static_cast<std::size_t>(columns));
  for (int column = 0; column < columns; ++column) {
    const char* name = sqlite3_column_name(statement.raw(), column);
    rows.columns.emplace_back(name != nullptr ? name : "");
  }
}

Result<void> bind_parameters(const Connection& connection, Statement& statement,
                             std::span<const Parameter> parameters) {
  const int wanted = sqlite3_bind_parameter_count(statement.raw());
  if (static_cast<std::size_t>(wanted) != parameters.size()) {
    return refused(connection, "it has " + std::to_string(wanted) + " parameters, but " +
                                   std::to_string(parameters.size()) + " values were given");
  }
  int index = 0;
  for (const Parameter& parameter : parameters) statement.bind_parameter(++index, parameter);
  return {};
}

// What a statement with RETURNING changed stays changed.
tl::unexpected<Error> too_many_rows(const Connection& connection, const Statement& statement) {
  auto error = refused(connection, "its result has more than " + std::to_string(row_count_max) + " rows; add a LIMIT");
  if (sqlite3_stmt_readonly(statement.raw()) == 0) error.value().effect = Effect::yes;
  return error;
}

}  // namespace

Result<Rows> run_user_statement(Connection& connection, std::string_view sql, std::span<const Parameter> parameters) {
  auto statement = connection.prepare_foreign(sql, "statement", {&check_text, &check_tail});
  if (!statement) return failure(std::move(statement));
  if (auto bound = bind_parameters(connection, *statement, parameters); !bound) return failure(std::move(bound));
  const std::int64_t before = sqlite3_total_changes64(connection.raw());
  auto row = statement->step();
  if (!row) return failure(std::move(row));
  Rows rows;
  read_columns(*statement, rows);
  while (*row) {
    if (rows.rows.size() == row_count_max) {
      return too_many_rows(connection, *statement);
    }
    rows.rows.push_back(read_row(*statement, static_cast<int>(rows.columns.size())));
    row = statement->step();
    if (!row) return failure(std::move(row));
  }
  // sqlite3_changes keeps an earlier count when this statement changed nothing by its nature (SELECT, DDL).
  if (sqlite3_total_changes64(connection.raw()) != before) rows.changed = sqlite3_changes64(connection.raw());
  return rows;
}

}  // namespace write_aside::sqlite
