#include "write_aside/unit_id.hpp"

#include <charconv>

namespace write_aside {

std::string to_string(const UnitId& id) {
  return std::to_string(id.lane) + '.' + std::to_string(id.epoch) + '.' + std::to_string(id.n) + '.' +
         std::to_string(id.member);
}

namespace {

// Reads one number and, unless it is the last, the dot behind it.
template <class Number>
bool take_number(std::string_view& text, Number& number, bool last) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (last) return text.empty();
  if (text.empty() || text.front() != '.') return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<UnitId> parse_unit_id(std::string_view text) {
  UnitId id;
  const bool ok = take_number(text, id.lane, false) && take_number(text, id.epoch, false) &&
                  take_number(text, id.n, false) && take_number(text, id.member, true);
  return ok ? std::optional<UnitId>(id) : std::nullopt;
}

}  // namespace write_aside
