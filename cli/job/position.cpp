#include "job/position.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

namespace write_aside::cli {
namespace {

// Takes "name=" and what follows up to the next blank from the front of `text`.
std::optional<std::string_view> take_field(std::string_view& text, std::string_view name) {
  if (!text.starts_with(name) || !text.substr(name.size()).starts_with('=')) return std::nullopt;
  text.remove_prefix(name.size() + 1);
  const std::string_view value = text.substr(0, text.find(' '));
  text.remove_prefix(value.size());
  if (text.starts_with(' ')) text.remove_prefix(1);
  return value;
}

template <class Number>
bool parse_number(std::string_view text, Number& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size();
}

template <class Number>
bool take_number(std::string_view& text, std::string_view name, Number& number, int base = 10) {
  const auto value = take_field(text, name);
  return value && parse_number(*value, number, base);
}

bool take_lanes(std::string_view& text, std::vector<LaneNumber>& lanes) {
  auto list = take_field(text, "lanes");
  if (!list) return false;
  while (!list->empty()) {
    const std::string_view one = list->substr(0, list->find(','));
    if (!parse_number(one, lanes.emplace_back())) return false;
    list->remove_prefix(one.size() == list->size() ? one.size() : one.size() + 1);
  }
  return true;
}

}  // namespace

void Mark::pass(std::string_view bytes) {
  std::uint64_t hash = sum;
  std::uint64_t lines = 0;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    lines += byte == '\n' ? 1 : 0;
  }
  sum = hash;
  line += lines;
  offset += bytes.size();
}

std::string to_text(const Position& position) {
  return fmt::format("v1 units={} line={} offset={} sum={:016x} rejected={} lanes={}", position.units,
                     position.mark.line, position.mark.offset, position.mark.sum, position.rejected,
                     fmt::join(position.lanes, ","));
}

std::optional<Position> parse_position(std::string_view text) {
  Position position;
  if (!text.starts_with("v1 ")) return std::nullopt;
  text.remove_prefix(3);
  const bool complete = take_number(text, "units", position.units) && take_number(text, "line", position.mark.line) &&
                        take_number(text, "offset", position.mark.offset) &&
                        take_number(text, "sum", position.mark.sum, 16) &&
                        take_number(text, "rejected", position.rejected) && take_lanes(text, position.lanes);
  if (!complete || !text.empty()) return std::nullopt;
  return position;
}

}  // namespace write_aside::cli
