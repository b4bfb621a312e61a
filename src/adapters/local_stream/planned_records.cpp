#include "adapters/local_stream/planned_records.hpp"

#include <chrono>
#include <utility>

#include "adapters/local_stream/errors.hpp"
#include "adapters/local_stream/text.hpp"
#include "core/partition.hpp"

namespace write_aside::local_stream {
namespace {

constexpr std::size_t kept_bytes_max = 1u << 20;  // a large call is rare; its memory is given back

std::size_t size_of(const ports::RecordView& record) {
  std::size_t bytes = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  for (const ports::HeaderView& header : record.headers) bytes += header.name.size() + header.value.size();
  return bytes;
}

}  // namespace

std::int64_t wall_clock_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

PlannedRecords::Part PlannedRecords::add(std::string_view text) {
  const Part part{bytes_.size(), text.size()};
  bytes_ += text;
  return part;
}

bool PlannedRecords::add(std::int64_t ref, bool compacted, const ports::RecordView& record) {
  Entry entry{.ref = ref,
              .timestamp_ms = record.timestamp_ms != 0 ? record.timestamp_ms : wall_clock_ms(),
              .headers = {bytes_.size(), 0},
              .key = {},
              .value = {},
              .compacted = compacted};
  if (!append_headers(bytes_, record.headers)) return false;
  entry.headers.size = bytes_.size() - entry.headers.begin;
  if (record.key) entry.key = add(*record.key);
  if (record.value) entry.value = add(*record.value);
  entries_.push_back(entry);
  return true;
}

PlannedRecords::Record PlannedRecords::operator[](std::size_t index) const {
  const Entry& entry = entries_[index];
  Record record{.ref = entry.ref,
                .compacted = entry.compacted,
                .timestamp_ms = entry.timestamp_ms,
                .headers = text(entry.headers),
                .key = {},
                .value = {}};
  if (entry.key) record.key = text(*entry.key);
  if (entry.value) record.value = text(*entry.value);
  return record;
}

void PlannedRecords::cut(std::size_t size) {
  if (size >= entries_.size()) return;
  bytes_.resize(entries_[size].headers.begin);
  entries_.resize(size);
}

void PlannedRecords::clear() {
  entries_.clear();
  bytes_.clear();
  if (bytes_.capacity() > kept_bytes_max) bytes_ = {};
  if (entries_.capacity() * sizeof(Entry) > kept_bytes_max) entries_ = {};
}

Result<void> Planner::plan(std::span<const ports::RecordView> records, PlannedRecords& planned) {
  const std::size_t before = planned.size();
  for (const ports::RecordView& record : records) {
    auto added = add(record, planned);
    if (added) continue;
    planned.cut(before);
    return added;
  }
  ++turn_;
  return {};
}

Result<void> Planner::add(const ports::RecordView& record, PlannedRecords& planned) {
  if (auto checked = check_size(record); !checked) return checked;
  if (auto chosen = choose_topic(record.topic); !chosen) return chosen;
  auto partition = choose_partition(record);
  if (!partition) return failure(std::move(partition));
  const std::int64_t ref = topic_->refs[static_cast<std::size_t>(*partition)];
  if (planned.add(ref, topic_->info.compacted, record)) return {};
  return failure(refused(ErrorCode::invalid_argument, "a record for topic '" + topic_->info.name + "' of " +
                                                          store_.name() + " has a header whose name is not UTF-8"));
}

Result<void> Planner::check_size(const ports::RecordView& record) const {
  const std::size_t bytes = size_of(record);
  const std::size_t bytes_max = store_.options().record_bytes_max;
  if (bytes <= bytes_max) return {};
  return failure(refused(ErrorCode::event_too_large, "a record for topic '" + std::string(record.topic) + "' of " +
                                                         store_.name() + " has " + std::to_string(bytes) +
                                                         " bytes, the limit is " + std::to_string(bytes_max) +
                                                         "; make it smaller, or raise record_bytes_max"));
}

Result<void> Planner::choose_topic(std::string_view name) {
  if (topic_ != nullptr && topic_->info.name == name) return {};
  auto found = store_.topic(std::string(name));
  if (!found) return failure(std::move(found));
  if (*found == nullptr) return failure(store_.unknown_topic(name));
  topic_ = std::move(*found);
  return {};
}

Result<std::int32_t> Planner::choose_partition(const ports::RecordView& record) const {
  const std::int32_t partitions = topic_->info.partitions;
  if (topic_->info.compacted && !record.key) {
    return failure(refused(ErrorCode::invalid_argument, "topic '" + topic_->info.name + "' of " + store_.name() +
                                                            " is compacted: give the record a key"));
  }
  if (!record.partition) {
    if (record.key) return core::partition_of(*record.key, partitions);
    return static_cast<std::int32_t>(turn_ % static_cast<std::uint32_t>(partitions));
  }
  if (*record.partition >= 0 && *record.partition < partitions) return *record.partition;
  return failure(refused(ErrorCode::invalid_argument, "topic '" + topic_->info.name + "' of " + store_.name() +
                                                          " has no partition " + std::to_string(*record.partition) +
                                                          "; it has " + std::to_string(partitions)));
}

}  // namespace write_aside::local_stream
