#include "input/insert_text.hpp"

#include <fmt/format.h>

namespace write_aside::cli {
namespace {

std::string quoted(const Dialect& dialect, std::string_view name) {
  std::string text(1, dialect.quote);
  for (const char letter : name) {
    if (letter == dialect.quote) text += letter;
    text += letter;
  }
  return text += dialect.quote;
}

// "schema.table" names a table in a schema.
std::string quoted_table(const Dialect& dialect, std::string_view table) {
  const std::size_t dot = table.find('.');
  if (dot == std::string_view::npos) return quoted(dialect, table);
  return quoted(dialect, table.substr(0, dot)) + "." + quoted(dialect, table.substr(dot + 1));
}

std::string upsert_clause(const Dialect& dialect, std::span<const std::string_view> columns, std::string_view key) {
  std::string assignments;
  for (const std::string_view column : columns) {
    if (column == key) continue;
    if (!assignments.empty()) assignments += ", ";
    const std::string name = quoted(dialect, column);
    assignments +=
        dialect.on_duplicate_key ? fmt::format("{0} = values({0})", name) : fmt::format("{0} = excluded.{0}", name);
  }
  const std::string name = quoted(dialect, key);
  if (dialect.on_duplicate_key) {
    return " on duplicate key update " + (assignments.empty() ? fmt::format("{0} = {0}", name) : assignments);
  }
  if (assignments.empty()) return fmt::format(" on conflict ({}) do nothing", name);
  return fmt::format(" on conflict ({}) do update set {}", name, assignments);
}

}  // namespace

std::string insert_text(const Dialect& dialect, std::string_view table, std::span<const std::string_view> columns,
                        std::string_view upsert_key) {
  std::string names;
  std::string places;
  for (std::size_t index = 0; index < columns.size(); ++index) {
    const std::string_view comma = index == 0 ? "" : ", ";
    names += fmt::format("{}{}", comma, quoted(dialect, columns[index]));
    places += dialect.numbered_placeholders ? fmt::format("{}${}", comma, index + 1) : fmt::format("{}?", comma);
  }
  std::string text = fmt::format("insert into {} ({}) values ({})", quoted_table(dialect, table), names, places);
  if (!upsert_key.empty()) text += upsert_clause(dialect, columns, upsert_key);
  return text;
}

}  // namespace write_aside::cli
