#include "support/fake_event_stream_state.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/partition.hpp"

namespace write_aside::support {
namespace {

std::size_t bytes_of(const ports::RecordView& record) {
  std::size_t bytes = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  for (const ports::HeaderView& header : record.headers) bytes += header.name.size() + header.value.size();
  return bytes;
}

}  // namespace

ports::StoredRecord stored(const ports::RecordView& record) {
  ports::StoredRecord copy;
  copy.topic = std::string(record.topic);
  if (record.key) copy.key = std::string(*record.key);
  if (record.value) copy.value = std::string(*record.value);
  for (const ports::HeaderView& header : record.headers) {
    copy.headers.push_back({std::string(header.name), std::string(header.value)});
  }
  copy.timestamp_ms = record.timestamp_ms;
  return copy;
}

Error fake_stream_error(ErrorCode code, std::string message) {
  return {.code = code,
          .side = Side::stream,
          .effect = Effect::no,
          .message = "fake stream: " + std::move(message),
          .driver = "FAKE"};
}

FakeEventStreamState::FakeEventStreamState(ports::Runtime& runtime, FakeStreamOptions options)
    : runtime_(runtime),
      options_(options),
      mutex_(runtime.mutex()),
      changed_(runtime.condition()),
      identity_("stream " + std::to_string(runtime.random())) {}

std::chrono::nanoseconds FakeEventStreamState::draw_lag() {
  const auto most = static_cast<std::uint64_t>(options_.reader_lag_max.count());
  return std::chrono::nanoseconds(most == 0 ? 0 : runtime_.random() % most);
}

std::int64_t FakeEventStreamState::Partition::stable_end() const {
  const auto open =
      std::find_if(entries.begin(), entries.end(), [](const Entry& entry) { return entry.fate == Fate::open; });
  return open == entries.end() ? next_offset : open->record.offset;
}

std::int64_t FakeEventStreamState::Partition::end(ports::Isolation isolation, ports::Deadline horizon) const {
  const auto unseen = std::find_if(entries.rbegin(), entries.rend(), [horizon](const Entry& entry) {
                        return entry.appended <= horizon;
                      }).base();
  return unseen == entries.end() ? end(isolation) : std::min(end(isolation), unseen->record.offset);
}

bool FakeEventStreamState::Partition::shows(const Entry& entry, ports::Isolation isolation) {
  if (entry.fate == Fate::marker) return false;
  return entry.fate == Fate::committed || isolation == ports::Isolation::read_uncommitted;
}

FakeEventStreamState::Guard FakeEventStreamState::guard() {
  Guard lock(*mutex_);
  for (auto& [id, producer] : producers_) {
    if (!producer.deadline || now() <= *producer.deadline) continue;
    // Its owner, if it still lives, must not go on as if its records were there.
    ++producer.epoch;
    end_transaction(id, ports::Ending::abort);
  }
  if (!markers_.empty()) {
    std::erase_if(markers_, [this](const Marker& marker) {
      if (marker.due > now()) return false;
      arrive(marker);
      return true;
    });
  }
  return lock;
}

std::vector<ports::StoredRecord> FakeEventStreamState::committed(const std::string& topic) {
  const Guard lock = guard();
  complete_all();
  std::vector<ports::StoredRecord> records;
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return records;
  for (const Partition& partition : found->second.partitions) {
    for (const Entry& entry : partition.entries) {
      if (entry.record.offset >= partition.stable_end()) break;
      if (Partition::shows(entry, ports::Isolation::read_committed)) records.push_back(entry.record);
    }
  }
  return records;
}

std::size_t FakeEventStreamState::open_transactions() {
  const Guard lock = guard();
  return static_cast<std::size_t>(
      std::count_if(producers_.begin(), producers_.end(), [](const auto& producer) { return producer.second.open; }));
}

void FakeEventStreamState::pass_time(std::chrono::nanoseconds span) {
  const Guard lock(*mutex_);
  ahead_ += span;
}

void FakeEventStreamState::truncate(const std::string& topic, std::int32_t number, std::int64_t offset) {
  const Guard lock = guard();
  const auto found = partition(topic, number);
  if (!found) return;
  std::erase_if((*found)->entries, [offset](const Entry& entry) { return entry.record.offset >= offset; });
  (*found)->next_offset = std::min((*found)->next_offset, offset);
}

Result<FakeEventStreamState::Partition*> FakeEventStreamState::partition(const std::string& topic,
                                                                         std::int32_t number) {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) {
    return failure(fake_stream_error(ErrorCode::unknown_topic, "there is no topic '" + topic + "'"));
  }
  if (number < 0 || number >= found->second.info.partitions) {
    return failure(fake_stream_error(ErrorCode::invalid_argument, "topic '" + topic + "' has no such partition"));
  }
  return &found->second.partitions[static_cast<std::size_t>(number)];
}

Result<std::vector<FakeEventStreamState::PartitionName>> FakeEventStreamState::place(
    std::span<const ports::RecordView> records) {
  std::vector<PartitionName> places;
  for (const ports::RecordView& record : records) {
    const std::string topic(record.topic);
    const auto found = topics_.find(topic);
    if (found == topics_.end()) {
      return failure(fake_stream_error(ErrorCode::unknown_topic, "there is no topic '" + topic + "'"));
    }
    if (bytes_of(record) > options_.record_bytes_max) {
      return failure(fake_stream_error(ErrorCode::event_too_large, "a record for topic '" + topic + "' is too large"));
    }
    const ports::TopicInfo& info = found->second.info;
    if (info.compacted && !record.key) {
      return failure(fake_stream_error(ErrorCode::invalid_argument, "topic '" + topic + "' is compacted: give a key"));
    }
    std::int32_t number = 0;
    if (record.partition) {
      number = *record.partition;
    } else if (record.key) {
      number = core::partition_of(*record.key, info.partitions);
    } else {
      number = static_cast<std::int32_t>(found->second.turn++ % static_cast<std::uint32_t>(info.partitions));
    }
    if (auto there = partition(topic, number); !there) return failure(there);
    places.emplace_back(topic, number);
  }
  return places;
}

Result<std::int64_t> FakeEventStreamState::append(std::span<const ports::RecordView> records,
                                                  const std::string& transactional_id) {
  auto places = place(records);
  if (!places) return failure(places);
  std::int64_t first_offset = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const PartitionName& name = (*places)[i];
    Partition& to = topics_.at(name.first).partitions[static_cast<std::size_t>(name.second)];
    Entry entry{.record = stored(records[i]),
                .fate = transactional_id.empty() ? Fate::committed : Fate::open,
                .transactional_id = transactional_id,
                .appended = now()};
    entry.record.partition = name.second;
    entry.record.offset = to.next_offset++;
    if (i == 0) first_offset = entry.record.offset;
    to.entries.push_back(std::move(entry));
    if (transactional_id.empty()) continue;
    ProducerState& producer = producers_.at(transactional_id);
    producer.touched.insert(name);
    if (!producer.deadline) producer.deadline = now() + producer.timeout;
  }
  changed_->notify_all();
  return first_offset;
}

Result<std::int64_t> FakeEventStreamState::append(const std::vector<ports::StoredRecord>& records,
                                                  const std::string& transactional_id) {
  std::vector<std::vector<ports::HeaderView>> headers;
  std::vector<ports::RecordView> views;
  for (const ports::StoredRecord& record : records) {
    auto& of_record = headers.emplace_back();
    for (const Header& header : record.headers) of_record.push_back({header.name, header.value});
    views.push_back({.topic = record.topic,
                     .partition = record.partition,
                     .key = record.key,
                     .value = record.value,
                     .headers = of_record,
                     .timestamp_ms = record.timestamp_ms});
  }
  return append(views, transactional_id);
}

void FakeEventStreamState::end_transaction(const std::string& transactional_id, ports::Ending ending) {
  ProducerState& producer = producers_.at(transactional_id);
  if (ending == ports::Ending::commit && on_commit_) hear_of_commit(transactional_id, producer);
  for (const PartitionName& name : producer.touched) {
    Marker marker{now(), transactional_id, name, ending};
    const auto delay_max = static_cast<std::uint64_t>(options_.marker_delay_max.count());
    if (delay_max == 0) {
      arrive(marker);
      continue;
    }
    marker.due += std::chrono::nanoseconds(runtime_.random() % delay_max);
    markers_.push_back(std::move(marker));
  }
  producer.open = false;
  producer.deadline.reset();
  producer.touched.clear();
  changed_->notify_all();
}

void FakeEventStreamState::hear_of_commit(const std::string& transactional_id, const ProducerState& producer) {
  for (const auto& [topic, number] : producer.touched) {
    for (const Entry& entry : topics_.at(topic).partitions[static_cast<std::size_t>(number)].entries) {
      if (entry.fate == Fate::open && entry.transactional_id == transactional_id) on_commit_(entry.record);
    }
  }
}

void FakeEventStreamState::arrive(const Marker& marker) {
  Topic& topic = topics_.at(marker.partition.first);
  Partition& partition = topic.partitions[static_cast<std::size_t>(marker.partition.second)];
  for (Entry& entry : partition.entries) {
    if (entry.fate != Fate::open || entry.transactional_id != marker.transactional_id) continue;
    entry.fate = marker.ending == ports::Ending::commit ? Fate::committed : Fate::aborted;
  }
  if (options_.markers) {
    Entry entry;
    entry.fate = Fate::marker;
    entry.appended = now();
    entry.record.offset = partition.next_offset++;
    partition.entries.push_back(std::move(entry));
  }
  if (options_.compacts && topic.info.compacted) compact(partition);
}

void FakeEventStreamState::complete(const std::string& transactional_id) {
  std::erase_if(markers_, [&](const Marker& marker) {
    if (marker.transactional_id != transactional_id) return false;
    arrive(marker);
    return true;
  });
}

void FakeEventStreamState::complete_all() {
  for (const Marker& marker : std::exchange(markers_, {})) arrive(marker);
}

// What a reader cannot see yet replaces nothing: the older record of its key must stay for that reader.
void FakeEventStreamState::compact(Partition& partition) {
  std::map<std::string, std::int64_t> newest;
  const std::int64_t end = partition.stable_end();
  for (const Entry& entry : partition.entries) {
    if (entry.record.offset < end && entry.fate == Fate::committed && entry.record.key) {
      newest.insert_or_assign(*entry.record.key, entry.record.offset);
    }
  }
  std::erase_if(partition.entries, [&newest](const Entry& entry) {
    if (entry.fate != Fate::committed || !entry.record.key) return false;
    const auto kept = newest.find(*entry.record.key);
    return kept != newest.end() && entry.record.offset < kept->second;
  });
}

}  // namespace write_aside::support
