#include "input/row_translator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "exit_status.hpp"

namespace write_aside::cli {
namespace {

// Inputs with more column sets than this are unusual; the texts are made again then.
constexpr std::size_t insert_count_max = 1'000;
constexpr std::size_t column_count_max = 2'000;

std::string json_string(std::string_view text) { return nlohmann::json(text).dump(); }

void append_json_string(std::string& json, std::string_view text) {
  const auto plain = [](unsigned char byte) { return byte >= 0x20 && byte != '"' && byte != '\\'; };
  if (std::all_of(text.begin(), text.end(), plain)) {
    json.append(1, '"').append(text).append(1, '"');
  } else {
    json += json_string(text);
  }
}

void plan(PlannedUnit& unit, const RowTarget& target, PlannedStatement statement, std::string_view key,
          std::string_view value, Arena& arena) {
  PlannedEvent event;
  event.topic = target.topic;
  event.key = key;
  event.type = target.type;
  event.value = value;
  event.at = statement.at;
  unit.statements = arena.keep(std::vector<PlannedStatement>{statement});
  unit.events = arena.keep(std::vector<PlannedEvent>{event});
  unit.ordering_key = key;
}

}  // namespace

void JsonRowTranslator::translate(std::string_view text, Arena& arena, PlannedUnit& unit) {
  if (row(text, arena, unit)) return;
  unit.refusal = json_.refusal();
  if (unit.refusal->message.empty()) unit.refusal->message = "not valid JSON";
}

bool JsonRowTranslator::row(std::string_view text, Arena& arena, PlannedUnit& unit) {
  auto object = json_.open(text);
  if (!object) return false;
  columns_.clear();
  parameters_.clear();
  std::optional<std::string_view> key;
  for (auto result : *object) {
    auto field = json_.field(std::move(result));
    if (!field) return false;
    if (columns_.size() == column_count_max)
      return json_.refuse(field->at, fmt::format("more than {} fields", column_count_max)), false;
    if (std::find(columns_.begin(), columns_.end(), field->name) != columns_.end()) {
      return json_.refuse(field->at, fmt::format("the field \"{:.60}\" is there twice; keep one", field->name)), false;
    }
    const std::string_view token = field->value.raw_json_token();
    auto parameter = json_.parameter(field->value, "the value");
    if (!parameter) return false;
    if (const auto* string = std::get_if<std::string_view>(&parameter->storage()))
      parameter = Parameter(arena.keep(*string));
    if (field->name == target_.key) {
      key = key_text(*field, *parameter, token, arena);
      if (!key) return false;
    }
    columns_.push_back(arena.keep(field->name));
    parameters_.push_back(*parameter);
  }
  if (!key)
    return json_.refuse(0, fmt::format("the record has no field \"{}\", which --key names", target_.key)), false;
  const std::size_t begin = text.find('{');
  const std::size_t end = text.rfind('}');
  plan(unit, target_, {insert(arena), arena.keep(parameters_), begin}, *key, text.substr(begin, end + 1 - begin),
       arena);
  return true;
}

std::optional<std::string_view> JsonRowTranslator::key_text(const JsonText::Field& field, const Parameter& value,
                                                            std::string_view token, Arena& arena) {
  if (const auto* string = std::get_if<std::string_view>(&value.storage()); string != nullptr && token.front() == '"') {
    return *string;
  }
  if (const auto* number = std::get_if<std::int64_t>(&value.storage())) return arena.keep(std::to_string(*number));
  return json_.refuse(
      field.at, fmt::format("the field \"{}\" is the event's key; it must be a string or a whole number", target_.key));
}

std::string_view JsonRowTranslator::insert(Arena& arena) {
  column_set_.clear();
  for (const std::string_view column : columns_) column_set_.append(column).push_back('\0');
  auto found = inserts_.find(column_set_);
  if (found == inserts_.end()) {
    if (inserts_.size() >= insert_count_max) inserts_.clear();
    const std::string_view upsert_key = target_.upsert ? target_.key : std::string_view();
    found = inserts_.emplace(column_set_, insert_text(target_.dialect, target_.table, columns_, upsert_key)).first;
  }
  return arena.keep(found->second);
}

CsvRowTranslator::CsvRowTranslator(RowTarget target, std::optional<std::string> null_text)
    : target_(std::move(target)), null_text_(std::move(null_text)) {}

Result<std::unique_ptr<CsvRowTranslator>> CsvRowTranslator::make(RowTarget target, const std::string& input_name,
                                                                 const std::string& header,
                                                                 std::optional<std::string> null_text) {
  auto made = std::make_unique<CsvRowTranslator>(std::move(target), std::move(null_text));
  PlannedUnit place;
  place.line = 1;
  place.text = header;
  const auto refused = [&](std::size_t at, std::string_view message) {
    const auto [line, column] = place_of(place, at);
    return failure(usage_error(fmt::format("{}:{}:{}: {}", input_name, line, column, message)));
  };
  Arena arena;
  std::vector<CsvField> fields;
  if (auto refusal = parse_csv(header, arena, fields)) return refused(refusal->at, refusal->message);
  if (!simdjson::validate_utf8(header)) return refused(0, "the header is not UTF-8");
  std::vector<std::string_view> names;
  for (const CsvField& field : fields) {
    if (field.text.empty()) return refused(field.at, "the header has a column without a name");
    if (names.size() == column_count_max)
      return refused(field.at, fmt::format("more than {} columns", column_count_max));
    if (std::find(names.begin(), names.end(), field.text) != names.end()) {
      return refused(field.at, fmt::format("the header names the column \"{}\" twice", field.text));
    }
    names.push_back(field.text);
    made->columns_.emplace_back(field.text);
    made->json_names_.push_back(json_string(field.text));
  }
  const auto key = std::find(names.begin(), names.end(), made->target_.key);
  if (key == names.end())
    return refused(0, fmt::format("the header has no column \"{}\", which --key names", made->target_.key));
  made->key_index_ = static_cast<std::size_t>(key - names.begin());
  made->insert_ = insert_text(made->target_.dialect, made->target_.table, names,
                              made->target_.upsert ? made->target_.key : std::string_view());
  return made;
}

bool CsvRowTranslator::is_null(const CsvField& field) const {
  return null_text_ && !field.quoted && field.text == *null_text_;
}

void CsvRowTranslator::translate(std::string_view text, Arena& arena, PlannedUnit& unit) {
  unit.refusal = row(text, arena, unit);
}

std::optional<Refusal> CsvRowTranslator::row(std::string_view text, Arena& arena, PlannedUnit& unit) {
  if (!simdjson::validate_utf8(text)) return Refusal{0, "the record is not UTF-8"};
  if (auto refusal = parse_csv(text, arena, fields_)) return refusal;
  if (fields_.size() != columns_.size()) {
    return Refusal{0, fmt::format("the record has {} fields, the header has {}", fields_.size(), columns_.size())};
  }
  const CsvField& key = fields_[key_index_];
  if (is_null(key))
    return Refusal{key.at, fmt::format("the column \"{}\" is the event's key; it must not be NULL", target_.key)};
  parameters_.clear();
  value_ = "{";
  for (std::size_t index = 0; index < fields_.size(); ++index) {
    if (index > 0) value_ += ',';
    value_.append(json_names_[index]).push_back(':');
    const CsvField& field = fields_[index];
    if (is_null(field)) {
      parameters_.emplace_back();
      value_ += "null";
    } else {
      parameters_.emplace_back(field.text);
      append_json_string(value_, field.text);
    }
  }
  value_ += '}';
  plan(unit, target_, {insert_, arena.keep(parameters_), 0}, key.text, arena.keep(value_), arena);
  return std::nullopt;
}

}  // namespace write_aside::cli
