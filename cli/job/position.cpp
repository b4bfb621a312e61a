#include "job/position.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "job/text_fields.hpp"

namespace write_aside::cli {

namespace {

constexpr std::uint64_t factor = 0x9e3779b97f4a7c15;
constexpr std::size_t step = 8;

// factor^(step - 1), …, factor, 1
constexpr std::array<std::uint64_t, step> powers = [] {
  std::array<std::uint64_t, step> result{};
  std::uint64_t power = 1;
  for (std::size_t index = step; index-- > 0; power *= factor) result[index] = power;
  return result;
}();

}  // namespace

// sum * factor + (byte + 1) for each byte, eight of them at a time: a chain of multiplications, one for each byte, took a
// tenth of the time of a unit.
void Mark::pass(std::string_view bytes) {
  std::size_t at = 0;
  for (; at + step <= bytes.size(); at += step) {
    std::uint64_t next = sum * (powers[0] * factor);
    for (std::size_t index = 0; index < step; ++index) {
      next += powers[index] * (static_cast<unsigned char>(bytes[at + index]) + 1u);
    }
    sum = next;
  }
  for (; at < bytes.size(); ++at) sum = sum * factor + static_cast<unsigned char>(bytes[at]) + 1;
  line += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
  offset += bytes.size();
}

std::uint64_t sum_with(std::uint64_t sum, std::string_view bytes) {
  for (const char byte : bytes) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return sum;
}

std::string to_text(const Position& position) {
  std::string text =
      fmt::format("v1 units={} line={} offset={} sum={:016x} rejected={} lanes={}", position.units, position.mark.line,
                  position.mark.offset, position.mark.sum, position.rejected, fmt::join(position.lanes, ","));
  if (position.workers > 1) text += fmt::format(" workers={}", position.workers);
  return text;
}

std::optional<Position> parse_position(std::string_view text) {
  Position position;
  TextFields fields(text);
  const bool complete = fields.word("v1") && fields.number("units", position.units) &&
                        fields.number("line", position.mark.line) && fields.number("offset", position.mark.offset) &&
                        fields.number("sum", position.mark.sum, 16) && fields.number("rejected", position.rejected) &&
                        fields.numbers("lanes", position.lanes);
  if (!complete) return std::nullopt;
  if (!fields.empty() && !fields.number("workers", position.workers)) return std::nullopt;
  if (!fields.empty() || position.workers == 0) return std::nullopt;
  return position;
}

}  // namespace write_aside::cli
