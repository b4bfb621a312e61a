#include "core/ledger_record.hpp"

#include <charconv>

#include "core/crc32c.hpp"

namespace write_aside::core {

namespace {

constexpr std::string_view version_prefix = "1 ";

bool take_number(std::string_view& text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty() || text.front() != ' ') return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string ledger_key(const std::string& database_id, LaneNumber lane) {
  return "o:" + database_id + ':' + std::to_string(lane);
}

std::string fence_key(const std::string& database_id, LaneNumber lane) {
  return "f:" + database_id + ':' + std::to_string(lane);
}

std::string encode(const LedgerRecord& record) {
  std::string text = std::string(version_prefix) + std::to_string(record.batch.epoch) + ' ' +
                     std::to_string(record.batch.n) + ' ' + to_string(record.first);
  return text + ' ' + std::to_string(crc32c(text));
}

std::optional<LedgerRecord> decode_ledger_record(std::string_view value) {
  const std::size_t last_space = value.rfind(' ');
  if (!value.starts_with(version_prefix) || last_space == std::string_view::npos) return std::nullopt;
  if (value.substr(last_space + 1) != std::to_string(crc32c(value.substr(0, last_space)))) return std::nullopt;

  LedgerRecord record;
  std::string_view rest = value.substr(version_prefix.size(), last_space - version_prefix.size());
  if (!take_number(rest, record.batch.epoch) || !take_number(rest, record.batch.n)) return std::nullopt;
  const std::optional<UnitId> first = parse_unit_id(rest);
  if (!first) return std::nullopt;
  record.first = *first;
  return record;
}

}  // namespace write_aside::core
