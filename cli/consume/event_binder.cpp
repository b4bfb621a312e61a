#include "consume/event_binder.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "input/record_reader.hpp"

namespace write_aside::cli {
namespace {

using Kind = EventPart::Kind;

Error refused(std::string message) {
  return {ErrorCode::invalid_argument, Side::caller, Effect::no, false, std::move(message), {}};
}

Result<Parameter> missing(const EventPart& part, std::string_view what) {
  if (part.optional) return Parameter();
  return failure(
      refused(fmt::format("it has no {} '{}'; write ':…?' in the statement if that is allowed", what, part.name)));
}

// A text must be one; bytes are taken as they are.
Result<Parameter> text_or_bytes(const std::optional<std::string>& content, const EventPart& part, bool bytes) {
  if (!content) return Parameter();
  if (bytes) return Parameter(BlobView{*content});
  if (simdjson::validate_utf8(*content)) return Parameter(*content);
  return failure(refused(fmt::format("its {0} is not UTF-8 text; take it as :{0}_bytes", part.name)));
}

std::optional<std::size_t> index_of(std::string_view step) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
  if (error != std::errc() || end != step.data() + step.size()) return std::nullopt;
  return index;
}

// simdjson compares names as they are written; one that is written with escapes it does not find.
simdjson::error_code find_field(json::object& object, std::string_view name, bool with_escapes, json::value& value) {
  auto error = object.find_field_unordered(name).get(value);
  if (error != simdjson::NO_SUCH_FIELD || !with_escapes) return error;
  if (error = object.reset().error(); error != simdjson::SUCCESS) return error;
  for (auto field : object) {
    std::string_view unescaped;
    if (error = field.unescaped_key().get(unescaped); error != simdjson::SUCCESS) return error;
    if (unescaped == name) return field.value().get(value);
  }
  return simdjson::NO_SUCH_FIELD;
}

}  // namespace

Result<void> EventBinder::bind(const EventStatement& statement, const ReceivedEvent& event,
                               std::vector<Parameter>& parameters) {
  opened_ = nullptr;
  for (const EventPart& part : statement.parts) {
    auto value = value_of(part, event);
    if (!value) return failure(value);
    parameters.push_back(*value);
  }
  return {};
}

Result<Parameter> EventBinder::value_of(const EventPart& part, const ReceivedEvent& event) {
  switch (part.kind) {
    case Kind::key:
    case Kind::key_bytes:
      return text_or_bytes(event.key, part, part.kind == Kind::key_bytes);
    case Kind::value:
    case Kind::value_bytes:
      return text_or_bytes(event.value, part, part.kind == Kind::value_bytes);
    case Kind::topic:
      return Parameter(event.topic);
    case Kind::partition:
      return Parameter(event.partition);
    case Kind::offset:
      return Parameter(event.offset);
    case Kind::timestamp_ms:
      return Parameter(event.timestamp_ms);
    case Kind::source:
      return Parameter(event.source);
    case Kind::id:
      return Parameter(event.id);
    case Kind::header:
      return header_of(part, event);
    case Kind::field:
      break;
  }
  return field_of(part, event);
}

Result<Parameter> EventBinder::header_of(const EventPart& part, const ReceivedEvent& event) {
  const auto header = event.header(part.name);
  if (!header) return missing(part, "header");
  if (simdjson::validate_utf8(*header)) return Parameter(*header);
  return failure(refused(fmt::format("its header '{}' is not UTF-8 text", part.name)));
}

Result<Parameter> EventBinder::unreadable(const EventPart& part) {
  return failure(refused(fmt::format("'{}' cannot be read: {}", part.name, json_.refusal().message)));
}

Result<void> EventBinder::open(const ReceivedEvent& event) {
  const std::size_t size = event.value->size();
  text_.assign(*event.value).append(Block::padding, ' ');
  if (!json_.open(std::string_view(text_).substr(0, size))) {
    return failure(refused(fmt::format("its value cannot be read: {}", json_.refusal().message)));
  }
  opened_ = &event;
  return {};
}

Result<Parameter> EventBinder::field_of(const EventPart& part, const ReceivedEvent& event) {
  if (!event.value) return missing(part, "value and so no");
  if (opened_ != &event) {
    if (auto opened = open(event); !opened) return failure(opened);
  }
  auto object = json_.reopen();
  if (!object) return unreadable(part);
  json::value value;
  const bool with_escapes = event.value->find('\\') != std::string::npos;
  simdjson::error_code error = find_field(*object, part.path.front(), with_escapes, value);
  for (std::size_t step = 1; step < part.path.size() && error == simdjson::SUCCESS; ++step) {
    const std::string& name = part.path[step];
    json::array array;
    json::object inner;
    if (const auto index = index_of(name); index && value.get_array().get(array) == simdjson::SUCCESS) {
      error = array.at(*index).get(value);
    } else if (value.get_object().get(inner) == simdjson::SUCCESS) {
      error = find_field(inner, name, with_escapes, value);
    } else {
      error = simdjson::NO_SUCH_FIELD;
    }
  }
  if (error == simdjson::NO_SUCH_FIELD || error == simdjson::INDEX_OUT_OF_BOUNDS) return missing(part, "field");
  if (error != simdjson::SUCCESS) return unreadable(part);
  const auto parameter = json_.parameter(value, part.name);
  if (!parameter) return unreadable(part);
  // A string lives only until the value is looked at again.
  if (const auto* text = std::get_if<std::string_view>(&parameter->storage())) {
    return Parameter(kept_.emplace_back(*text));
  }
  return *parameter;
}

}  // namespace write_aside::cli
