#include "support/fake_event_stream.hpp"

#include <algorithm>
#include <utility>

namespace write_aside::support {
namespace {

constexpr std::size_t topic_name_bytes_max = 249;

bool is_topic_name(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= topic_name_bytes_max && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace

class FakeTransactionalProducer final : public ports::TransactionalProducer {
 public:
  FakeTransactionalProducer(std::shared_ptr<FakeEventStreamState> state, std::string id,
                            std::chrono::milliseconds timeout, ports::Deliveries& deliveries)
      : state_(std::move(state)), id_(std::move(id)), timeout_(timeout), deliveries_(deliveries) {}

  Result<void> initialise(ports::Deadline) override {
    const auto lock = state_->guard();
    auto& producer = state_->producers_[id_];
    if (producer.open) state_->end_transaction(id_, ports::Ending::abort);
    state_->complete(id_);
    producer.timeout = timeout_;
    epoch_ = ++producer.epoch;
    return {};
  }
  Result<void> begin() override {
    const auto lock = state_->guard();
    if (auto ours = check(false); !ours) return ours;
    state_->complete(id_);
    state_->producers_.at(id_).open = true;
    return {};
  }
  Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token) override {
    Result<std::int64_t> offset = 0;
    {
      const auto lock = state_->guard();
      if (auto ours = check(true); !ours) return ours;
      if (may_hold_back_ && state_->options_.holds_back) {
        if (auto held = hold(records); !held) return held;
      } else {
        offset = state_->append(records, id_);
      }
    }
    if (!offset) return failure(offset);
    deliveries_.delivered(token, offset);
    return {};
  }
  ports::EndReport end(ports::Ending ending, ports::Deadline) override {
    const auto lock = state_->guard();
    if (auto ours = check(true); !ours) return {false, ours.error()};
    if (ending == ports::Ending::commit && !held_.empty()) {
      if (auto appended = state_->append(held_, id_); !appended) return {false, appended.error()};
    }
    held_.clear();
    state_->end_transaction(id_, ending);
    return {true, {}};
  }
  void hold_back() override { may_hold_back_ = true; }
  std::chrono::milliseconds rest_after_end() const override {
    return std::chrono::ceil<std::chrono::milliseconds>(state_->options_.marker_delay_max);
  }

 private:
  [[nodiscard]] Result<void> hold(std::span<const ports::RecordView> records) {
    const auto places = state_->place(records);
    if (!places) return failure(places);
    for (std::size_t i = 0; i < records.size(); ++i) {
      held_.push_back(stored(records[i]));
      held_.back().partition = (*places)[i].second;
    }
    return {};
  }
  [[nodiscard]] Result<void> check(bool open) const {
    if (epoch_ == 0) return misused("before it was initialised");
    const auto& producer = state_->producers_.at(id_);
    if (producer.epoch != epoch_) {
      return failure(fake_stream_error(ErrorCode::fenced, "transactional id '" + id_ + "' was taken by another"));
    }
    if (producer.open != open) return misused(open ? "outside of a transaction" : "inside a transaction");
    return {};
  }
  [[nodiscard]] Result<void> misused(const char* how) const {
    return failure(fake_stream_error(ErrorCode::invalid_argument, "producer '" + id_ + "' was used " + how));
  }

  std::shared_ptr<FakeEventStreamState> state_;
  std::string id_;
  std::chrono::milliseconds timeout_;
  ports::Deliveries& deliveries_;
  std::uint64_t epoch_ = 0;
  bool may_hold_back_ = false;
  std::vector<ports::StoredRecord> held_;
};

class FakeProducer final : public ports::Producer {
 public:
  FakeProducer(std::shared_ptr<FakeEventStreamState> state, ports::Deliveries& deliveries)
      : state_(std::move(state)), deliveries_(deliveries) {}

  Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token) override {
    Result<std::int64_t> offset = 0;
    {
      const auto lock = state_->guard();
      offset = state_->append(records, {});
    }
    if (!offset) return failure(offset);
    deliveries_.delivered(token, offset);
    return {};
  }

 private:
  std::shared_ptr<FakeEventStreamState> state_;
  ports::Deliveries& deliveries_;
};

class FakeReader final : public ports::Reader {
 public:
  using PartitionName = FakeEventStreamState::PartitionName;

  FakeReader(std::shared_ptr<FakeEventStreamState> state, ports::Runtime& runtime, ports::Isolation isolation,
             std::map<PartitionName, std::int64_t> positions, std::chrono::nanoseconds lag)
      : state_(std::move(state)),
        runtime_(runtime),
        isolation_(isolation),
        positions_(std::move(positions)),
        lag_(lag) {}

  Result<std::vector<ports::StoredRecord>> poll(std::size_t records_max, ports::Deadline deadline) override {
    auto lock = state_->guard();
    for (;;) {
      auto records = take(records_max);
      if (!records.empty() || runtime_.now() >= deadline) return records;
      state_->changed_->wait_until(lock, std::min(deadline, next_timeout()));
      lock.unlock();
      lock = state_->guard();
    }
  }
  Result<std::int64_t> position(const std::string& topic, std::int32_t partition) override {
    const auto lock = state_->guard();
    const auto found = positions_.find({topic, partition});
    if (found == positions_.end()) {
      return failure(fake_stream_error(ErrorCode::invalid_argument, "the reader does not read this partition"));
    }
    return found->second;
  }

 private:
  std::vector<ports::StoredRecord> take(std::size_t records_max) {
    std::vector<ports::StoredRecord> records;
    for (auto& [name, position] : positions_) {
      const auto found = state_->partition(name.first, name.second);
      if (!found) continue;
      const std::int64_t end = (*found)->end(isolation_, state_->now() - lag_);
      const std::size_t before = records.size();
      for (const auto& entry : (*found)->entries) {
        if (records.size() == records_max || entry.record.offset >= end) break;
        if (entry.record.offset < position || !FakeEventStreamState::Partition::shows(entry, isolation_)) continue;
        records.push_back(entry.record);
        position = entry.record.offset + 1;
      }
      // Nothing more is shown before `end`; the position passes over what is not.
      if (records.size() == before && records.size() < records_max) position = std::max(position, end);
    }
    return records;
  }
  // When the oldest transaction will be given up, and may set records free.
  ports::Deadline next_timeout() const {
    ports::Deadline earliest = ports::Deadline::max();
    for (const auto& [id, producer] : state_->producers_) {
      if (producer.deadline) earliest = std::min(earliest, *producer.deadline - state_->ahead_);
    }
    for (const auto& marker : state_->markers_) earliest = std::min(earliest, marker.due - state_->ahead_);
    return earliest == ports::Deadline::max() ? earliest : earliest + std::chrono::nanoseconds(1);
  }

  std::shared_ptr<FakeEventStreamState> state_;
  ports::Runtime& runtime_;
  ports::Isolation isolation_;
  std::map<PartitionName, std::int64_t> positions_;
  const std::chrono::nanoseconds lag_;
};

// Every n-th partition is a member's, as in the local stream.
class FakeGroupMember final : public ports::GroupMember {
 public:
  FakeGroupMember(std::shared_ptr<FakeEventStreamState> state, ports::GroupSpec spec, std::string name,
                  std::vector<ports::TopicPartition> partitions)
      : state_(std::move(state)), spec_(std::move(spec)), name_(std::move(name)), partitions_(std::move(partitions)) {}
  ~FakeGroupMember() override {
    const auto lock = state_->guard();
    if (spec_.instance.empty()) state_->groups_[spec_.name].erase(name_);
  }

  Result<std::vector<ports::TopicPartition>> share() override {
    const auto lock = state_->guard();
    auto& members = state_->groups_[spec_.name];
    members[name_] = state_->now() + spec_.session_timeout;
    std::erase_if(members, [&](const auto& member) { return member.second < state_->now(); });
    std::vector<ports::TopicPartition> share;
    const auto rank = static_cast<std::size_t>(std::distance(members.begin(), members.find(name_)));
    for (std::size_t index = rank; index < partitions_.size(); index += members.size()) {
      share.push_back(partitions_[index]);
    }
    return share;
  }
  Result<void> report(std::span<const ports::Position>) override { return {}; }

 private:
  std::shared_ptr<FakeEventStreamState> state_;
  ports::GroupSpec spec_;
  std::string name_;
  std::vector<ports::TopicPartition> partitions_;
};

Result<std::string> FakeEventStream::identity() { return state_->identity_; }

Result<std::optional<ports::TopicInfo>> FakeEventStream::topic(const std::string& name) {
  const auto lock = state_->guard();
  const auto found = state_->topics_.find(name);
  if (found == state_->topics_.end()) return std::nullopt;
  return found->second.info;
}

Result<std::vector<ports::TopicInfo>> FakeEventStream::topics() {
  const auto lock = state_->guard();
  std::vector<ports::TopicInfo> topics;
  for (const auto& [name, topic] : state_->topics_) topics.push_back(topic.info);
  return topics;
}

Result<bool> FakeEventStream::create_topic(const ports::TopicSpec& spec, ports::Deadline) {
  if (!is_topic_name(spec.name) || spec.partitions < 1) {
    return failure(fake_stream_error(ErrorCode::invalid_argument, "'" + spec.name + "' cannot be made a topic"));
  }
  const auto lock = state_->guard();
  if (state_->topics_.contains(spec.name)) return false;
  const std::string id = "topic " + std::to_string(runtime_.random());
  auto& topic = state_->topics_[spec.name];
  topic.info = {.name = spec.name, .id = id, .partitions = spec.partitions, .compacted = spec.compacted};
  topic.partitions.resize(static_cast<std::size_t>(spec.partitions));
  return true;
}

Result<std::unique_ptr<ports::TransactionalProducer>> FakeEventStream::transactional_producer(
    const std::string& transactional_id, std::chrono::milliseconds transaction_timeout, ports::Deliveries& deliveries) {
  if (transactional_id.empty()) {
    return failure(fake_stream_error(ErrorCode::invalid_argument, "a transactional id cannot be empty"));
  }
  return std::make_unique<FakeTransactionalProducer>(state_, transactional_id, transaction_timeout, deliveries);
}

Result<std::unique_ptr<ports::Producer>> FakeEventStream::producer(ports::Deliveries& deliveries) {
  return std::make_unique<FakeProducer>(state_, deliveries);
}

Result<std::unique_ptr<ports::Reader>> FakeEventStream::reader(const std::vector<ports::ReadFrom>& from,
                                                               ports::Isolation isolation) {
  const auto lock = state_->guard();
  std::map<FakeReader::PartitionName, std::int64_t> positions;
  for (const ports::ReadFrom& one : from) {
    const auto found = state_->partition(one.topic, one.partition);
    if (!found) return failure(found);
    std::int64_t offset = one.offset;
    if (offset == ports::offset_beginning) offset = 0;
    if (offset == ports::offset_end) offset = (*found)->end(isolation);
    if (one.exact && offset > (*found)->next_offset) {
      return failure(fake_stream_error(ErrorCode::gone, "the partition is shorter than that"));
    }
    positions.insert_or_assign({one.topic, one.partition}, offset);
  }
  return std::make_unique<FakeReader>(state_, runtime_, isolation, std::move(positions), state_->draw_lag());
}

Result<ports::EventStream::Bounds> FakeEventStream::bounds(const std::string& topic, std::int32_t partition,
                                                           ports::Isolation isolation) {
  const auto lock = state_->guard();
  const auto found = state_->partition(topic, partition);
  if (!found) return failure(found);
  return Bounds{0, (*found)->end(isolation)};
}

Result<void> FakeEventStream::store_positions(const std::string& consumer, std::span<const ports::Position> positions) {
  const auto lock = state_->guard();
  for (const ports::Position& one : positions) {
    if (auto found = state_->partition(one.topic, one.partition); !found) return failure(found);
  }
  for (const ports::Position& one : positions) {
    state_->positions_[consumer].insert_or_assign({one.topic, one.partition}, one.offset);
  }
  return {};
}

Result<std::vector<ports::Position>> FakeEventStream::positions(const std::string& consumer) {
  const auto lock = state_->guard();
  std::vector<ports::Position> positions;
  const auto found = state_->positions_.find(consumer);
  if (found == state_->positions_.end()) return positions;
  for (const auto& [name, offset] : found->second) positions.push_back({name.first, name.second, offset});
  return positions;
}

Result<std::unique_ptr<ports::GroupMember>> FakeEventStream::join_group(const ports::GroupSpec& spec) {
  std::vector<ports::TopicPartition> partitions;
  {
    const auto lock = state_->guard();
    for (const std::string& name : spec.topics) {
      const auto found = state_->topics_.find(name);
      if (found == state_->topics_.end()) {
        return failure(fake_stream_error(ErrorCode::unknown_topic, "there is no topic '" + name + "'"));
      }
      for (std::int32_t number = 0; number < found->second.info.partitions; ++number) {
        partitions.push_back({name, number});
      }
    }
  }
  std::sort(partitions.begin(), partitions.end());
  std::string name = spec.instance.empty() ? "member " + std::to_string(runtime_.random()) : spec.instance;
  return std::make_unique<FakeGroupMember>(state_, spec, std::move(name), std::move(partitions));
}

}  // namespace write_aside::support
