#include "consume/event_statement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "exit_status.hpp"

namespace write_aside::cli {
namespace {

using Kind = EventPart::Kind;

constexpr std::array<std::pair<std::string_view, Kind>, 10> names = {{{"key", Kind::key},
                                                                      {"key_bytes", Kind::key_bytes},
                                                                      {"value", Kind::value},
                                                                      {"value_bytes", Kind::value_bytes},
                                                                      {"topic", Kind::topic},
                                                                      {"partition", Kind::partition},
                                                                      {"offset", Kind::offset},
                                                                      {"timestamp_ms", Kind::timestamp_ms},
                                                                      {"source", Kind::source},
                                                                      {"id", Kind::id}}};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool begins_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '{'; }

// Where a literal, a quoted name or a comment that begins at `at` ends; `at` itself: none begins there.
std::size_t end_of_quoted(std::string_view sql, std::size_t at) {
  const auto after = [&](std::string_view end, std::size_t from) {
    const std::size_t found = sql.find(end, from);
    return found == std::string_view::npos ? sql.size() : found + end.size();
  };
  const char c = sql[at];
  if (c == '\'' || c == '"' || c == '`') return after(std::string_view(&sql[at], 1), at + 1);
  if (sql.substr(at).starts_with("--")) return after("\n", at);
  if (sql.substr(at).starts_with("/*")) return after("*/", at + 2);
  if (c != '$') return at;
  // PostgreSQL's $tag$ … $tag$
  std::size_t end = at + 1;
  while (end < sql.size() && is_word(sql[end])) ++end;
  if (end == sql.size() || sql[end] != '$' || (end > at + 1 && std::isdigit(static_cast<unsigned char>(sql[at + 1])))) {
    return at;
  }
  return after(sql.substr(at, end + 1 - at), end + 1);
}

// The database's own way of writing parameters. Nothing is given for one, or what a name has already.
bool begins_placeholder(std::string_view sql, std::size_t at, const Dialect& dialect) {
  if (!dialect.numbered_placeholders) return sql[at] == '?';
  const bool digit = at + 1 < sql.size() && std::isdigit(static_cast<unsigned char>(sql[at + 1])) != 0;
  return sql[at] == '$' && digit && (at == 0 || !is_word(sql[at - 1]));
}

// The name behind a colon, without braces; `at` moves behind it.
Result<std::string_view> take_name(std::string_view sql, std::size_t& at) {
  if (sql[at] == '{') {
    const std::size_t end = sql.find('}', at);
    if (end == std::string_view::npos) return failure(usage_error("--sql: a ':{' has no '}'"));
    const std::string_view name = sql.substr(at + 1, end - at - 1);
    at = end + 1;
    return name;
  }
  const std::size_t begin = at;
  while (at < sql.size() && (is_word(sql[at]) || (sql[at] == '.' && at + 1 < sql.size() && is_word(sql[at + 1])))) ++at;
  return sql.substr(begin, at - begin);
}

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> steps;
  for (;;) {
    const std::size_t dot = path.find('.');
    steps.emplace_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return steps;
    path.remove_prefix(dot + 1);
  }
}

Result<EventPart> part_of(std::string_view name) {
  if (name == "type") return EventPart{.kind = Kind::header, .name = "ce_type"};
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& one) { return one.first == name; });
  if (found != names.end()) return EventPart{.kind = found->second, .name = std::string(name)};
  if (name.starts_with("header.") && name.size() > 7) {
    return EventPart{.kind = Kind::header, .name = std::string(name.substr(7))};
  }
  if (name.starts_with("value.") && name.size() > 6) {
    return EventPart{.kind = Kind::field, .name = std::string(name), .path = split(name.substr(6))};
  }
  return failure(usage_error(fmt::format(
      "--sql: ':{}' is no part of an event; known are :key, :value, :value.FIELD, :header.NAME, :type, :id, "
      ":source, :topic, :partition, :offset, :timestamp_ms, :key_bytes and :value_bytes",
      name)));
}

}  // namespace

Result<EventStatement> EventStatement::parse(std::string_view text, const Dialect& dialect) {
  EventStatement statement;
  for (std::size_t at = 0; at < text.size();) {
    if (const std::size_t end = end_of_quoted(text, at); end > at) {
      statement.sql += text.substr(at, end - at);
      at = end;
      continue;
    }
    if (begins_placeholder(text, at, dialect)) {
      return failure(usage_error(fmt::format(
          "--sql: a placeholder '{}' gets no value; write a name such as :key, which stands for a part of the event",
          text.substr(at, dialect.numbered_placeholders ? 2 : 1))));
    }
    const bool cast = text.substr(at).starts_with("::");
    if (cast || text[at] != ':' || at + 1 == text.size() || !begins_name(text[at + 1])) {
      const std::size_t count = cast ? 2 : 1;
      statement.sql += text.substr(at, count);
      at += count;
      continue;
    }
    const auto name = take_name(text, ++at);
    if (!name) return failure(name);
    auto part = part_of(*name);
    if (!part) return failure(part);
    if (at < text.size() && text[at] == '?') {
      part->optional = true;
      ++at;
    }
    statement.parts.push_back(*std::move(part));
    statement.sql += dialect.numbered_placeholders ? fmt::format("${}", statement.parts.size()) : "?";
  }
  if (statement.sql.find_first_not_of(" \t\r\n;") == std::string::npos) {
    return failure(usage_error("--sql is empty; write the statement to run for each event"));
  }
  return statement;
}

}  // namespace write_aside::cli
