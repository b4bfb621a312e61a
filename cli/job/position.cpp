#include "job/position.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "job/text_fields.hpp"

namespace write_aside::cli {

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
