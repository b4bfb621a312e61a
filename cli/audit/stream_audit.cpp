#include "audit/stream_audit.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace write_aside::cli {
namespace {

constexpr std::size_t texts_max = 50;
constexpr std::size_t missing_lines_max = 5;

std::string_view header(const ports::StoredRecord& record, std::string_view name) {
  for (const Header& one : record.headers) {
    if (one.name == name) return one.value;
  }
  return {};
}

std::string place(const ports::StoredRecord& record) {
  return fmt::format("{}/{}@{}", record.topic, record.partition, record.offset);
}

}  // namespace

StreamAudit::Fingerprint StreamAudit::fingerprint(std::string_view source, std::string_view id) {
  Mark high;
  Mark low;
  high.pass(source);
  high.pass(std::string_view("\0", 1));
  high.pass(id);
  low.pass(id);
  low.pass("\n");
  low.pass(source);
  return {high.sum, low.sum};
}

std::optional<StreamAudit::EventNumber> StreamAudit::parse_number(std::string_view id) {
  EventNumber number;
  const char* const end = id.data() + id.size();
  const auto line = std::from_chars(id.data(), end, number.line);
  if (line.ec != std::errc() || line.ptr == end || *line.ptr != '.') return std::nullopt;
  const auto index = std::from_chars(line.ptr + 1, end, number.index);
  if (index.ec != std::errc() || index.ptr != end) return std::nullopt;
  return number;
}

void StreamAudit::report(Violation kind, std::uint64_t count, std::string text) {
  counts_[static_cast<std::size_t>(kind)] += count;
  if (texts_.size() < texts_max) {
    texts_.push_back(fmt::format("{}: {}", violation_names[static_cast<std::size_t>(kind)], text));
  }
}

void StreamAudit::order_by_line(const std::string& source, std::vector<std::uint64_t> keys) {
  sources_[source].order_by_line = std::move(keys);
}

void StreamAudit::order_by_event_key(const std::string& source) { sources_[source].order_is_event_key = true; }

StreamAudit::Source& StreamAudit::source_of(std::string_view name) {
  auto found = sources_.find(name);
  if (found == sources_.end()) found = sources_.emplace(std::string(name), Source{}).first;
  Source& source = found->second;
  if (source.is_known) return source;
  source.is_known = true;
  const auto position = progress_(found->first);
  source.is_input = position.has_value();
  if (!position) return source;
  source.committed_line = position->mark.line;
  source.had_workers = position->workers > 1;
  return source;
}

std::optional<StreamAudit::OrderKey> StreamAudit::order_of(const Source& source, const ports::StoredRecord& record,
                                                           EventNumber number) {
  if (!source.had_workers) return 0;
  OrderKey key = 0;
  if (source.order_is_event_key) {
    key = sum_with(Mark{}.sum, record.key.value_or(""));
  } else if (number.line < source.order_by_line.size()) {
    key = source.order_by_line[number.line];
  } else {
    ++order_unknown_;
  }
  return key == 0 ? std::nullopt : std::optional(key);
}

void StreamAudit::see(const ports::StoredRecord& record) {
  ++events_;
  const std::string_view name = header(record, "ce_source");
  const std::string_view id = header(record, "ce_id");
  if (name.empty() || id.empty()) {
    ++foreign_;
    return;
  }
  Source& source = source_of(name);
  if (!seen_.insert(fingerprint(name, id)).second) {
    report(Violation::duplicate, 1, fmt::format("source {} id {} is there again at {}", name, id, place(record)));
    return;
  }
  const auto number = parse_number(id);
  if (!source.is_input || !number) return;
  check_order(source, record, name, *number);
  if (number->line > source.committed_line) ++source.beyond[number->line];
}

void StreamAudit::check_order(Source& source, const ports::StoredRecord& record, std::string_view name,
                              EventNumber number) {
  const auto order = order_of(source, record, number);
  if (!order) return;
  auto [last, first] = source.last.try_emplace({record.topic, record.partition, *order}, number);
  if (first) return;
  if (number < last->second) {
    report(Violation::out_of_order, 1,
           fmt::format("source {} id {}.{} at {} comes after {}.{}", name, number.line, number.index, place(record),
                       last->second.line, last->second.index));
    return;
  }
  last->second = number;
}

void StreamAudit::find_orphans() {
  for (auto& [name, source] : sources_) {
    if (source.beyond.empty()) continue;
    // Asked again: an input that is being applied has moved on since. Its progress moves before its events are visible.
    const auto position = progress_(name);
    const std::uint64_t line = position ? position->mark.line : 0;
    for (const auto& [beyond, count] : source.beyond) {
      if (beyond <= line) continue;
      report(Violation::orphan, count,
             fmt::format("source {} has {} of line {}, but is committed up to line {} only", name,
                         count == 1 ? "an event" : fmt::format("{} events", count), beyond, line));
    }
  }
}

void StreamAudit::compare(const std::string& source, const InputUnit& unit) {
  if (unit.ids.empty()) return;
  std::size_t found = 0;
  for (const std::string& id : unit.ids) found += seen_.contains(fingerprint(source, id)) ? 1 : 0;
  if (found == unit.ids.size()) return;
  if (found > 0) {
    report(Violation::torn, 1,
           fmt::format("source {} line {}: {} of {} events are there", source, unit.line, found, unit.ids.size()));
    return;
  }
  Source& missing = sources_[source];
  ++missing.missing;
  if (missing.missing_lines.size() < missing_lines_max) missing.missing_lines.push_back(unit.line);
}

void StreamAudit::finish_input(const std::string& source, std::uint64_t rejected) {
  const Source& audited = sources_[source];
  if (audited.missing > rejected) {
    std::string lines;
    for (const std::uint64_t line : audited.missing_lines) lines += fmt::format(" {}", line);
    report(Violation::lost, audited.missing - rejected,
           fmt::format("source {}: {} committed units have no event, {} were rejected; the first:{}", source,
                       audited.missing, rejected, lines));
  }
}

std::vector<std::string> StreamAudit::sources() const {
  std::vector<std::string> names;
  for (const auto& [name, source] : sources_) names.push_back(name);
  return names;
}

}  // namespace write_aside::cli
