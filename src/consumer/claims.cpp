#include "consumer/claims.hpp"

#include <algorithm>
#include <utility>

#include "consumer/received_event.hpp"

namespace write_aside::consumer {
namespace {

constexpr std::chrono::milliseconds rest_after_loss{200};
constexpr std::chrono::seconds last_record_patience{5};
constexpr std::chrono::milliseconds settle_beyond_lease{2'000};

std::string name_of(const ports::TopicPartition& partition) {
  return partition.topic + '[' + std::to_string(partition.partition) + ']';
}

Error stream_error(ErrorCode code, std::string message) {
  return {.code = code, .side = Side::stream, .effect = Effect::no, .message = std::move(message)};
}

constexpr const char* start_anew = "; to take it as a new one, give the consumer another name";

}  // namespace

Claims::Claims(Coordinator& coordinator, const Tables& tables, const ConsumerOptions& options, std::string stream_id)
    : coordinator_(coordinator),
      tables_(tables),
      options_(options),
      stream_id_(std::move(stream_id)),
      owner_(to_string(coordinator.runtime().process()) + '#' + std::to_string(coordinator.runtime().random())) {}

Held* Claims::find(const ports::TopicPartition& partition) {
  const auto found = held_.find(partition);
  return found == held_.end() ? nullptr : &found->second;
}

void Claims::lose(const ports::TopicPartition& partition) {
  not_before_[partition] = coordinator_.runtime().now() + rest_after_loss;
  doubt(partition);
}

void Claims::doubt(const ports::TopicPartition& partition) {
  held_.erase(partition);
  ++version_;
}

void Claims::drop_all() {
  held_.clear();
  not_before_.clear();
  ++version_;
}

Result<void> Claims::keep_lane() {
  if (coordinator_.options().guarantee != Guarantee::exactly_once) return {};
  const std::vector<LaneNumber> lanes = coordinator_.lanes();
  if (lane_ && std::find(lanes.begin(), lanes.end(), *lane_) != lanes.end()) return {};
  drop_all();
  lane_.reset();
  if (lanes.empty()) {
    return failure(Error{.code = ErrorCode::lane_unavailable,
                         .side = Side::coordinator,
                         .effect = Effect::no,
                         .retriable = true,
                         .message = "no lane is held just now"});
  }
  lane_ = lanes[coordinator_.runtime().random() % lanes.size()];
  return {};
}

Result<void> Claims::settle(const std::optional<LaneNumber>& lane) {
  if (!lane || !lane_ || *lane == *lane_) return {};
  const auto& options = coordinator_.options();
  const auto settled =
      recover(coordinator_.database(), coordinator_.stream(), options, {*lane}, options.lease + settle_beyond_lease);
  if (!settled) return failure(settled);
  if (settled->complete()) return {};
  return failure(Error{.code = ErrorCode::lane_unavailable,
                       .side = Side::coordinator,
                       .effect = Effect::no,
                       .retriable = true,
                       .message = "lane " + std::to_string(*lane) + ", which carried earlier events of consumer '" +
                                  options_.name + "', is not settled: " + settled->lanes.front().note});
}

Result<void> Claims::follow(const std::vector<ports::TopicPartition>& share) {
  if (auto kept = keep_lane(); !kept) return kept;
  const auto dropped = std::erase_if(
      held_, [&](const auto& held) { return !std::binary_search(share.begin(), share.end(), held.first); });
  if (dropped > 0) ++version_;
  const auto now = coordinator_.runtime().now();
  for (const ports::TopicPartition& partition : share) {
    if (held_.contains(partition)) continue;
    if (const auto rest = not_before_.find(partition); rest != not_before_.end()) {
      if (now < rest->second) continue;
      not_before_.erase(rest);
    }
    auto held = claim(partition);
    if (!held) return failure(held);
    held_.insert_or_assign(partition, *std::move(held));
    ++version_;
  }
  return {};
}

Result<Held> Claims::claim(const ports::TopicPartition& partition) {
  auto unit = coordinator_.begin();
  if (!unit) return failure(unit);
  auto position = position_of(*unit, partition);
  if (!position) return failure(position);
  Held held{*std::move(position), {}, 0};
  if (auto loaded = load_parked(*unit, partition, held); !loaded) return failure(loaded);
  const Outcome outcome = unit->commit();
  if (!outcome.is_committed()) return failure(*outcome.error());
  // Now that no other member can publish any more.
  if (auto settled = settle(held.lane); !settled) return failure(settled);
  return held;
}

Result<void> Claims::load_parked(UnitOfWork& unit, const ports::TopicPartition& partition, Held& held) const {
  auto found = tables_.parked_keys(unit, partition, options_.parked_max);
  if (!found) return failure(found);
  held.parked_keys = std::move(found->keys);
  held.parked_events = found->events;
  return {};
}

Result<std::string> Claims::topic_id(const std::string& topic) const {
  const auto info = coordinator_.stream()->topic(topic);
  if (!info) return failure(info);
  if (*info) return (*info)->id;
  return failure(
      stream_error(ErrorCode::unknown_topic, "topic '" + topic + "' is no longer in " + coordinator_.stream()->name()));
}

Result<Position> Claims::position_of(UnitOfWork& unit, const ports::TopicPartition& partition) {
  auto found = tables_.claim(unit, partition, owner_);
  if (!found) return failure(found);
  if (*found) {
    if (auto checked = check(partition, **found); !checked) return failure(checked);
    return **found;
  }
  auto first = first_position(partition);
  if (!first) return first;
  auto made = tables_.create(unit, partition, owner_, *first);
  if (!made) return failure(made);
  if (*made) return first;
  return failure(Error{.code = ErrorCode::conflict,
                       .side = Side::database,
                       .effect = Effect::no,
                       .retriable = true,
                       .message = "another member has just claimed " + name_of(partition)});
}

Result<Position> Claims::first_position(const ports::TopicPartition& partition) {
  auto id = topic_id(partition.topic);
  if (!id) return failure(id);
  const auto bounds =
      coordinator_.stream()->bounds(partition.topic, partition.partition, ports::Isolation::read_committed);
  if (!bounds) return failure(bounds);
  return Position{.next_offset = options_.start == ConsumerOptions::Start::end ? bounds->end : bounds->begin,
                  .generation = 1,
                  .stream_id = stream_id_,
                  .topic_id = *std::move(id)};
}

// The offset means something only in the stream and the topic that it was stored for.
Result<void> Claims::check(const ports::TopicPartition& partition, const Position& position) const {
  const auto id = topic_id(partition.topic);
  if (!id) return failure(id);
  const std::string& stream = coordinator_.stream()->name();
  const std::string who = "the position of consumer '" + options_.name + "' in " + name_of(partition);
  if (position.stream_id != stream_id_) {
    return failure(stream_error(ErrorCode::gone, who + " is of the stream with id " + position.stream_id + ", but " +
                                                     stream + " has id " + stream_id_ + start_anew));
  }
  if (!id->empty() && !position.topic_id.empty() && *id != position.topic_id) {
    return failure(stream_error(ErrorCode::gone, who + " is of an earlier topic of that name (id " + position.topic_id +
                                                     "), which was deleted; the one in " + stream + " has id " + *id +
                                                     start_anew));
  }
  const auto bounds =
      coordinator_.stream()->bounds(partition.topic, partition.partition, ports::Isolation::read_uncommitted);
  if (!bounds) return failure(bounds);
  if (position.next_offset > bounds->end) {
    return failure(stream_error(ErrorCode::gone, who + " is " + std::to_string(position.next_offset) + ", but " +
                                                     stream + " ends at " + std::to_string(bounds->end) +
                                                     ": the topic was made anew, or lost records that were applied" +
                                                     start_anew));
  }
  if (position.next_offset < bounds->begin) {
    return failure(stream_error(ErrorCode::gone, who + " is " + std::to_string(position.next_offset) + ", but " +
                                                     stream + " begins at " + std::to_string(bounds->begin) +
                                                     ": records were removed before they were applied" + start_anew));
  }
  const bool knows_id = !id->empty() && !position.topic_id.empty();
  const bool is_there = position.last_offset && *position.last_offset >= bounds->begin;
  return knows_id || !is_there ? Result<void>() : check_last_record(partition, position);
}

Result<void> Claims::check_last_record(const ports::TopicPartition& partition, const Position& position) const {
  ports::EventStream& stream = *coordinator_.stream();
  auto reader =
      stream.reader({{partition.topic, partition.partition, *position.last_offset}}, ports::Isolation::read_committed);
  if (!reader) return failure(reader);
  const auto records = (*reader)->poll(1, coordinator_.runtime().now() + last_record_patience);
  if (!records) return failure(records);
  // Another offset: it was removed by compaction.
  if (records->empty() || records->front().offset != *position.last_offset) return {};
  const ports::StoredRecord& record = records->front();
  if (fingerprint_of(record.timestamp_ms, record.key, record.value) == position.last_seen) return {};
  return failure(stream_error(ErrorCode::gone, "consumer '" + options_.name + "' has applied " + name_of(partition) +
                                                   '@' + std::to_string(record.offset) + ", but " + stream.name() +
                                                   " has another record there: the topic was made anew" + start_anew));
}

}  // namespace write_aside::consumer
