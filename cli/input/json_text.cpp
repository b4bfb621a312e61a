#include "input/json_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "input/record_reader.hpp"

static_assert(write_aside::cli::Block::padding >= simdjson::SIMDJSON_PADDING);

namespace write_aside::cli {
namespace {

// Takes everything, and keeps the place and the reason of the first mistake.
class MistakeFinder : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t position, const std::string& token, const nlohmann::detail::exception& error) override {
    constexpr int out_of_range = 406;
    const std::string message =
        error.id == out_of_range ? "number too large for a double; write it as a string" : reason(error.what(), token);
    // The position counts the bytes read. A whole token in the wrong place is named by where it begins, anything else by
    // the byte that is wrong.
    const auto says = [&](std::string_view part) { return message.find(part) != std::string::npos; };
    std::size_t back = 1;
    if (error.id == out_of_range || says("unexpected string literal") || says("unexpected number literal")) {
      back = token.size();
    } else if (says("unexpected true literal") || says("unexpected null literal")) {
      back = 4;
    } else if (says("unexpected false literal")) {
      back = 5;
    }
    found_ = Refusal{position > back ? position - back : 0, message};
    return false;
  }
  [[nodiscard]] const std::optional<Refusal>& found() const { return found_; }

 private:
  // "[json.exception.…] parse error at line 1, column 5: syntax error … - invalid literal; last read: 'TOKEN'; expected …"
  // without its beginning, and without what was read: messages do not repeat the input.
  static std::string reason(std::string_view what, const std::string& token) {
    constexpr std::string_view last_read = "; last read: '";
    if (const std::size_t colon = what.find(": "); colon != std::string_view::npos) what.remove_prefix(colon + 2);
    const std::size_t read = what.find(last_read);
    if (read == std::string_view::npos) return std::string(what);
    const std::size_t behind = std::min(read + last_read.size() + token.size() + 1, what.size());
    return std::string(what.substr(0, read)).append(what.substr(behind));
  }

  std::optional<Refusal> found_;
};

std::string_view type_name(json::json_type type) {
  switch (type) {
    case json::json_type::array:
      return "an array";
    case json::json_type::object:
      return "an object";
    case json::json_type::number:
      return "a number";
    case json::json_type::string:
      return "a string";
    case json::json_type::boolean:
      return "true or false";
    case json::json_type::null:
      return "null";
  }
  return "something else";
}

}  // namespace

std::nullopt_t JsonText::refuse(std::size_t at, std::string message) {
  if (refusal_.message.empty()) refusal_ = {at, std::move(message)};
  return std::nullopt;
}

bool JsonText::check(std::string_view text) {
  const auto error = checker_.parse(text.data(), text.size(), false).error();
  return error == simdjson::SUCCESS || check_slowly(text);
}

bool JsonText::check_slowly(std::string_view text) {
  MistakeFinder finder;
  if (nlohmann::json::sax_parse(text.begin(), text.end(), &finder)) return true;
  Refusal mistake = finder.found().value_or(Refusal{0, "unreadable"});
  refuse(std::min(mistake.at, text.size()), "not valid JSON: " + mistake.message);
  return false;
}

std::optional<json::object> JsonText::open(std::string_view text) {
  text_ = text;
  refusal_ = {};
  if (!check(text)) return std::nullopt;
  if (parser_.iterate(text.data(), text.size(), text.size() + Block::padding).get(document_) != simdjson::SUCCESS) {
    return refuse(0, "not valid JSON");
  }
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (text[begin] != '{') return refuse(begin, "a record must be a JSON object, in { and }");
  json::object object;
  if (document_.get_object().get(object) != simdjson::SUCCESS) return refuse(begin, "not valid JSON");
  return object;
}

std::optional<json::object> JsonText::reopen() {
  document_.rewind();
  json::object object;
  if (document_.get_object().get(object) != simdjson::SUCCESS) return refuse(0, "not valid JSON");
  return object;
}

std::nullopt_t JsonText::wrong_type(json::value& value, std::string_view name, std::string_view wanted) {
  const std::size_t place = at(value);
  json::json_type type{};
  if (value.type().get(type) != simdjson::SUCCESS) return refuse(place, "not valid JSON");
  return refuse(place, fmt::format("{} must be {}, not {}", name, wanted, type_name(type)));
}

std::optional<std::string_view> JsonText::string(json::value& value, std::string_view name) {
  std::string_view text;
  const std::size_t place = at(value);
  const auto error = value.get_string().get(text);
  if (error == simdjson::INCORRECT_TYPE) return wrong_type(value, name, "a string");
  // Half a surrogate pair, for instance, which no UTF-8 text can hold.
  if (error != simdjson::SUCCESS) return refuse(place, fmt::format("{} holds an escape that is no character", name));
  return text;
}

std::optional<json::object> JsonText::object(json::value& value, std::string_view name) {
  json::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return wrong_type(value, name, "an object");
  return object;
}

std::optional<json::array> JsonText::array(json::value& value, std::string_view name) {
  json::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) return wrong_type(value, name, "an array");
  return array;
}

std::optional<std::string_view> JsonText::raw(json::value& value) {
  const std::string_view token = value.raw_json_token();
  std::string_view text = token;
  auto error = simdjson::SUCCESS;
  if (token.starts_with('{')) {
    json::object object;
    error = value.get_object().get(object);
    if (error == simdjson::SUCCESS) error = object.raw_json().get(text);
  } else if (token.starts_with('[')) {
    json::array array;
    error = value.get_array().get(array);
    if (error == simdjson::SUCCESS) error = array.raw_json().get(text);
  }
  if (error != simdjson::SUCCESS) return refuse(at(token), "not valid JSON");
  // The token of a scalar, and that of an object, reaches up to the next one.
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  return text.substr(0, end + 1);
}

std::optional<Parameter> JsonText::parameter(json::value& value, std::string_view name) {
  const std::string_view token = value.raw_json_token();
  switch (token.front()) {
    case 'n':
      return Parameter();
    case 't':
      return Parameter(true);
    case 'f':
      return Parameter(false);
    case '"':
      if (const auto text = string(value, name)) return Parameter(*text);
      return std::nullopt;
    case '{':
    case '[':
      if (const auto text = raw(value)) return Parameter(*text);
      return std::nullopt;
    default:
      break;
  }
  return number(value, name);
}

std::optional<Parameter> JsonText::number(json::value& value, std::string_view name) {
  const std::size_t place = at(value);
  json::number_type type{};
  std::int64_t whole = 0;
  double real = 0;
  const bool readable = value.get_number_type().get(type) == simdjson::SUCCESS;
  if (readable && type == json::number_type::floating_point_number) {
    // Not simdjson's own: 3.0 gives wrong ones for more than 19 digits. Out of range is what is nearer to 0 than any
    // double; numbers too large have been refused.
    const std::string_view token = value.raw_json_token();
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), real);
    if (error == std::errc() || error == std::errc::result_out_of_range) return Parameter(real);
  } else if (readable && value.get_int64().get(whole) == simdjson::SUCCESS) {
    return Parameter(whole);
  }
  return refuse(place, fmt::format("{} is a number too large for 64 bits with a sign; write it as a string", name));
}

std::optional<JsonText::Field> JsonText::field(simdjson::simdjson_result<json::field> result) {
  json::field field;
  if (std::move(result).get(field) != simdjson::SUCCESS) return refuse(0, "not valid JSON");
  // The raw key begins behind its quotation mark.
  const std::size_t place = static_cast<std::size_t>(field.key().raw() - text_.data()) - 1;
  std::string_view name;
  if (field.unescaped_key().get(name) != simdjson::SUCCESS)
    return refuse(place, "a field name holds an escape that is no character");
  return Field{name, place, field.value()};
}

std::optional<std::size_t> JsonText::known(const Field& field, std::span<const std::string_view> names,
                                           std::uint32_t& seen) {
  const auto found = std::find(names.begin(), names.end(), field.name);
  if (found == names.end()) {
    return refuse(field.at,
                  fmt::format("unknown field \"{:.60}\"; known here: {}", field.name, fmt::join(names, ", ")));
  }
  const auto index = static_cast<std::size_t>(found - names.begin());
  if ((seen >> index & 1u) != 0)
    return refuse(field.at, fmt::format("the field \"{}\" is there twice; keep one", field.name));
  seen |= 1u << index;
  return index;
}

}  // namespace write_aside::cli
