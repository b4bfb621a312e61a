// Takes the stored texts of progress apart: blank-separated words and fields "name=value", in a fixed order.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

namespace write_aside::cli {

class TextFields {
 public:
  explicit TextFields(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }

  // Each takes what it names from the front; false if something else is there.
  [[nodiscard]] bool word(std::string_view word) { return take() == word; }
  [[nodiscard]] std::optional<std::string_view> value(std::string_view name) {
    if (!rest_.starts_with(name) || !rest_.substr(name.size()).starts_with('=')) return std::nullopt;
    return take().substr(name.size() + 1);
  }
  template <class Number>
  [[nodiscard]] bool number(std::string_view name, Number& number, int base = 10) {
    const auto text = value(name);
    return text && parse(*text, number, base);
  }
  // Separated by commas; none at all is fine.
  template <class Number>
  [[nodiscard]] bool numbers(std::string_view name, std::vector<Number>& numbers) {
    auto list = value(name);
    if (!list) return false;
    while (!list->empty()) {
      const std::string_view one = list->substr(0, list->find(','));
      if (!parse(one, numbers.emplace_back(), 10)) return false;
      list->remove_prefix(one.size() == list->size() ? one.size() : one.size() + 1);
    }
    return true;
  }

 private:
  // Up to the next blank.
  std::string_view take() {
    const std::string_view taken = rest_.substr(0, rest_.find(' '));
    rest_.remove_prefix(taken.size());
    if (rest_.starts_with(' ')) rest_.remove_prefix(1);
    return taken;
  }
  template <class Number>
  static bool parse(std::string_view text, Number& number, int base) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return error == std::errc() && end == text.data() + text.size();
  }

  std::string_view rest_;
};

}  // namespace write_aside::cli
