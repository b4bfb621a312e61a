// Checked, located access to one JSON text: every mistake is reported with its place.
//
// Two passes of simdjson: the first proves that the whole text is JSON and UTF-8, which the on-demand front end does not check
// in what it passes over; the second hands out fields with their places. A text that the first refuses is read once more by
// a slower parser that can say where and why.
#pragma once

#include <simdjson.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "job/planned_unit.hpp"

namespace write_aside::cli {

namespace json = simdjson::ondemand;

class JsonText {
 public:
  // Reads `text`, which is followed by Block::padding readable bytes, as an object. None: see refusal().
  [[nodiscard]] std::optional<json::object> open(std::string_view text);

  // The same object from its beginning, once more; what was handed out before is no longer valid.
  [[nodiscard]] std::optional<json::object> reopen();

  // The place of a part of the text.
  [[nodiscard]] std::size_t at(std::string_view part) const {
    return static_cast<std::size_t>(part.data() - text_.data());
  }
  [[nodiscard]] std::size_t at(json::value& value) const { return at(value.raw_json_token()); }

  // The text of a string, unescaped, which lives until the next open().
  [[nodiscard]] std::optional<std::string_view> string(json::value& value, std::string_view name);
  [[nodiscard]] std::optional<json::object> object(json::value& value, std::string_view name);
  [[nodiscard]] std::optional<json::array> array(json::value& value, std::string_view name);
  // A scalar as a statement's parameter; objects and arrays as their JSON text. Strings are as in string().
  [[nodiscard]] std::optional<Parameter> parameter(json::value& value, std::string_view name);
  // Any value exactly as it was written.
  [[nodiscard]] std::optional<std::string_view> raw(json::value& value);

  struct Field {
    std::string_view name;
    std::size_t at = 0;
    json::value value;
  };
  [[nodiscard]] std::optional<Field> field(simdjson::simdjson_result<json::field> result);
  // The field's index in `names`; refuses a field that is not among them or was `seen` already.
  [[nodiscard]] std::optional<std::size_t> known(const Field& field, std::span<const std::string_view> names,
                                                 std::uint32_t& seen);

  // Remembers the first refusal; always returns none.
  std::nullopt_t refuse(std::size_t at, std::string message);
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }

 private:
  [[nodiscard]] bool check(std::string_view text);
  [[nodiscard]] bool check_slowly(std::string_view text);
  [[nodiscard]] std::optional<Parameter> number(json::value& value, std::string_view name);
  std::nullopt_t wrong_type(json::value& value, std::string_view name, std::string_view wanted);

  simdjson::dom::parser checker_;
  json::parser parser_;
  json::document document_;
  std::string_view text_;
  Refusal refusal_;
};

}  // namespace write_aside::cli
