#include "core/envelope.hpp"

#include <cstdio>
#include <ctime>

namespace write_aside::core {

std::string rfc3339(std::int64_t time_ms) {
  const std::time_t seconds = static_cast<std::time_t>(time_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(time_ms % 1000));
  return text;
}

void Envelope::add(const Publication& publication, const UnitId* unit) {
  const std::string& time = *texts_.emplace_back(std::make_unique<std::string>(rfc3339(publication.time_ms)));
  std::string_view unit_text;
  if (unit != nullptr) unit_text = *texts_.emplace_back(std::make_unique<std::string>(to_string(*unit)));

  for (const Event& event : publication.events) {
    const std::size_t begin = headers_.size();
    headers_.push_back({"ce_id", event.id});
    headers_.push_back({"ce_source", publication.source});
    headers_.push_back({"ce_type", event.type});
    headers_.push_back({"ce_specversion", "1.0"});
    headers_.push_back({"ce_time", time});
    if (event.value) headers_.push_back({"content-type", event.content_type});
    if (unit != nullptr) headers_.push_back({"wa-unit", unit_text});
    for (const Header& header : event.headers) headers_.push_back({header.name, header.value});
    ports::RecordView record{.topic = event.topic,
                             .partition = {},
                             .key = event.key,
                             .value = event.value,
                             .headers = {},
                             .timestamp_ms = publication.time_ms};
    pending_.push_back({record, begin, headers_.size() - begin});
  }
}

void Envelope::add_ledger(std::string_view topic, LaneNumber lane, std::string key, std::string_view value,
                          std::int64_t time_ms) {
  const std::string& kept = *texts_.emplace_back(std::make_unique<std::string>(std::move(key)));
  const ports::RecordView record{.topic = topic,
                                 .partition = static_cast<std::int32_t>(lane),
                                 .key = kept,
                                 .value = value,
                                 .headers = {},
                                 .timestamp_ms = time_ms};
  pending_.push_back({record, headers_.size(), 0});
}

std::span<const ports::RecordView> Envelope::records() {
  // Only now do the headers stand still.
  records_.clear();
  records_.reserve(pending_.size());
  for (Pending& pending : pending_) {
    pending.record.headers = std::span(headers_).subspan(pending.headers_begin, pending.headers_count);
    records_.push_back(pending.record);
  }
  return records_;
}

}  // namespace write_aside::core
