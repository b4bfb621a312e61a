#include "input/apply_translator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base64.hpp"

namespace write_aside::cli {
namespace {

constexpr std::array<std::string_view, 3> unit_fields{"statements", "events", "ordering_key"};
constexpr std::array<std::string_view, 2> statement_fields{"sql", "params"};
constexpr std::array<std::string_view, 8> event_fields{"topic",        "key", "type",         "value",
                                                       "value_base64", "id",  "content_type", "headers"};
constexpr std::array<std::string_view, 8> quoted_event_fields{
    "\"topic\"", "\"key\"", "\"type\"", "\"value\"", "\"value_base64\"", "\"id\"", "\"content_type\"", "\"headers\""};
constexpr std::size_t header_count_max = 1'000;
enum EventField : std::size_t {
  topic_field,
  key_field,
  type_field,
  value_field,
  value_base64_field,
  id_field,
  content_type_field,
  headers_field
};

constexpr std::uint32_t bit(std::size_t index) { return 1u << index; }

// Behind blanks and comments.
std::string_view first_word(std::string_view sql) {
  for (;;) {
    const std::size_t begin = sql.find_first_not_of(" \t\r\n;(");
    if (begin == std::string_view::npos) return {};
    sql.remove_prefix(begin);
    std::size_t end = std::string_view::npos;
    if (sql.starts_with("--")) {
      end = sql.find('\n');
    } else if (sql.starts_with("/*")) {
      end = sql.find("*/");
    } else {
      const auto stop = std::find_if_not(sql.begin(), sql.end(), [](unsigned char c) { return std::isalpha(c) != 0; });
      return sql.substr(0, static_cast<std::size_t>(stop - sql.begin()));
    }
    if (end == std::string_view::npos) return {};
    sql.remove_prefix(end + (sql.front() == '/' ? 2 : 1));
  }
}

}  // namespace

std::string_view transaction_word(std::string_view sql) {
  constexpr std::array<std::string_view, 8> words{"begin", "start",    "commit",    "end",
                                                  "abort", "rollback", "savepoint", "release"};
  const std::string_view first = first_word(sql);
  const auto same = [&](std::string_view word) {
    return std::equal(word.begin(), word.end(), first.begin(), first.end(),
                      [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
  };
  return std::any_of(words.begin(), words.end(), same) ? first : std::string_view();
}

void ApplyTranslator::translate(std::string_view text, Arena& arena, PlannedUnit& planned) {
  statements_.clear();
  events_.clear();
  if (!unit(text, arena, planned)) {
    planned.refusal = json_.refusal();
    if (planned.refusal->message.empty()) planned.refusal->message = "not valid JSON";
    return;
  }
  planned.statements = arena.keep(statements_);
  planned.events = arena.keep(events_);
}

bool ApplyTranslator::unit(std::string_view text, Arena& arena, PlannedUnit& planned) {
  auto object = json_.open(text);
  if (!object) return false;
  std::uint32_t seen = 0;
  for (auto result : *object) {
    auto field = json_.field(std::move(result));
    if (!field) return false;
    const auto index = json_.known(*field, unit_fields, seen);
    if (!index) return false;
    if (*index == 2) {
      const auto ordering_key = name_text(field->value, "\"ordering_key\"", arena);
      if (!ordering_key) return false;
      planned.ordering_key = *ordering_key;
      continue;
    }
    const bool statements = *index == 0;
    auto list = json_.array(field->value, statements ? "\"statements\"" : "\"events\"");
    if (!list) return false;
    for (auto element : *list) {
      json::value item;
      if (std::move(element).get(item) != simdjson::SUCCESS) return false;
      if (!(statements ? statement(item, arena) : event(item, arena))) return false;
    }
  }
  if (!statements_.empty() || !events_.empty()) return true;
  json_.refuse(0, "the unit has neither statements nor events; give it at least one");
  return false;
}

std::optional<std::string_view> ApplyTranslator::name_text(json::value text_value, std::string_view name,
                                                           Arena& arena) {
  const std::size_t place = json_.at(text_value);
  const auto text = json_.string(text_value, name);
  if (!text) return std::nullopt;
  if (text->empty()) return json_.refuse(place, fmt::format("{} must not be empty", name));
  return arena.keep(*text);
}

bool ApplyTranslator::statement(json::value whole, Arena& arena) {
  PlannedStatement planned;
  planned.at = json_.at(whole);
  auto object = json_.object(whole, "a statement");
  if (!object) return false;
  std::uint32_t seen = 0;
  for (auto result : *object) {
    auto field = json_.field(std::move(result));
    if (!field) return false;
    const auto index = json_.known(*field, statement_fields, seen);
    if (!index) return false;
    if (!(*index == 0 ? sql(field->value, arena, planned) : parameters(field->value, arena, planned))) return false;
  }
  if ((seen & bit(0)) == 0) return json_.refuse(planned.at, "the statement has no \"sql\""), false;
  statements_.push_back(planned);
  return true;
}

bool ApplyTranslator::sql(json::value text_value, Arena& arena, PlannedStatement& planned) {
  const std::size_t place = json_.at(text_value);
  const auto text = name_text(text_value, "\"sql\"", arena);
  if (!text) return false;
  if (const std::string_view word = transaction_word(*text); !word.empty()) {
    json_.refuse(place, fmt::format("{} is not for a statement: write-aside begins and ends the transaction", word));
    return false;
  }
  planned.sql = *text;
  planned.at = place;
  return true;
}

bool ApplyTranslator::parameters(json::value list_value, Arena& arena, PlannedStatement& planned) {
  auto list = json_.array(list_value, "\"params\"");
  if (!list) return false;
  parameters_.clear();
  for (auto element : *list) {
    json::value item;
    if (std::move(element).get(item) != simdjson::SUCCESS) return false;
    const auto parameter = json_.parameter(item, "a parameter");
    if (!parameter) return false;
    // Strings live in the parser only until the next line.
    const auto* text = std::get_if<std::string_view>(&parameter->storage());
    parameters_.push_back(text != nullptr ? Parameter(arena.keep(*text)) : *parameter);
  }
  planned.parameters = arena.keep(parameters_);
  return true;
}

bool ApplyTranslator::event(json::value whole, Arena& arena) {
  PlannedEvent planned;
  planned.at = json_.at(whole);
  auto object = json_.object(whole, "an event");
  if (!object) return false;
  std::uint32_t seen = 0;
  for (auto result : *object) {
    auto field = json_.field(std::move(result));
    if (!field) return false;
    const auto index = json_.known(*field, event_fields, seen);
    if (!index || !event_field(*index, field->value, arena, planned)) return false;
  }
  for (const EventField required : {topic_field, type_field}) {
    if ((seen & bit(required)) != 0) continue;
    json_.refuse(planned.at, fmt::format("the event has no \"{}\"", event_fields.at(required)));
    return false;
  }
  const std::uint32_t values = seen & (bit(value_field) | bit(value_base64_field));
  if (values == 0) {
    json_.refuse(planned.at, "the event has no \"value\"; write \"value\": null for a tombstone");
    return false;
  }
  if (values == (bit(value_field) | bit(value_base64_field))) {
    json_.refuse(planned.at, "the event has both \"value\" and \"value_base64\"; keep one");
    return false;
  }
  if (values == bit(value_base64_field) && (seen & bit(content_type_field)) == 0)
    planned.content_type = "application/octet-stream";
  events_.push_back(planned);
  return true;
}

bool ApplyTranslator::event_field(std::size_t index, json::value item, Arena& arena, PlannedEvent& planned) {
  const auto text_into = [&](std::string_view& target) {
    const auto text = name_text(item, quoted_event_fields.at(index), arena);
    if (text) target = *text;
    return text.has_value();
  };
  switch (static_cast<EventField>(index)) {
    case topic_field:
      return text_into(planned.topic);
    case type_field:
      return text_into(planned.type);
    case id_field:
      return text_into(planned.id.emplace());
    case content_type_field:
      return text_into(planned.content_type);
    case value_field:
      return event_value(item, planned);
    case value_base64_field:
      return event_bytes(item, arena, planned);
    case headers_field:
      return headers(item, arena, planned);
    case key_field:
      break;
  }
  if (item.raw_json_token().starts_with('n')) return true;
  const auto text = json_.string(item, "\"key\"");
  if (text) planned.key = arena.keep(*text);
  return text.has_value();
}

bool ApplyTranslator::event_value(json::value item, PlannedEvent& planned) {
  const auto text = json_.raw(item);
  if (!text) return false;
  if (*text != "null") planned.value = *text;
  return true;
}

bool ApplyTranslator::event_bytes(json::value item, Arena& arena, PlannedEvent& planned) {
  const std::size_t place = json_.at(item);
  const auto text = json_.string(item, "\"value_base64\"");
  if (!text) return false;
  const auto bytes = from_base64(*text);
  if (!bytes) return json_.refuse(place, "\"value_base64\" is not base64 with padding (RFC 4648)"), false;
  planned.value = arena.keep(*bytes);
  return true;
}

bool ApplyTranslator::headers(json::value item, Arena& arena, PlannedEvent& planned) {
  auto object = json_.object(item, "\"headers\"");
  if (!object) return false;
  headers_.clear();
  for (auto result : *object) {
    auto field = json_.field(std::move(result));
    if (!field) return false;
    const std::string_view name = arena.keep(field->name);
    if (headers_.size() == header_count_max) {
      return json_.refuse(field->at, fmt::format("more than {} headers", header_count_max)), false;
    }
    const auto same = [&](const PlannedHeader& header) { return header.name == name; };
    if (std::any_of(headers_.begin(), headers_.end(), same)) {
      return json_.refuse(field->at, fmt::format("the header \"{}\" is there twice; keep one", name)), false;
    }
    if (name.empty() || name.starts_with("ce_") || name.starts_with("wa-") || name == "content-type") {
      return json_.refuse(field->at, fmt::format("the header name \"{}\" is write-aside's own; take another", name)),
             false;
    }
    const auto text = json_.string(field->value, "a header");
    if (!text) return false;
    headers_.push_back({name, arena.keep(*text)});
  }
  planned.headers = arena.keep(headers_);
  return true;
}

}  // namespace write_aside::cli
