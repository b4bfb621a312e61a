#include "adapters/kafka/stream.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "adapters/kafka/errors.hpp"
#include "adapters/kafka/group_member.hpp"
#include "adapters/kafka/producers.hpp"
#include "adapters/kafka/properties.hpp"
#include "adapters/kafka/reader.hpp"
#include "write_aside/adapters/kafka.hpp"

namespace write_aside::kafka {
namespace {

// A record is in two places before it is acknowledged, where there are two. The ledger is compacted often, since a new
// owner reads what is not: every 10 minutes at least, or when a fifth of it is outdated.
Settings settings_of(const ports::TopicSpec& spec, std::int16_t replicas) {
  Settings settings{{"min.insync.replicas", replicas > 1 ? "2" : "1"}};
  if (!spec.compacted) return settings;
  settings["cleanup.policy"] = "compact";
  settings["min.cleanable.dirty.ratio"] = "0.2";
  settings["segment.ms"] = "600000";
  settings["segment.bytes"] = "16777216";
  settings["max.compaction.lag.ms"] = "3600000";
  return settings;
}

}  // namespace

Result<std::shared_ptr<ports::EventStream>> open(const Properties& properties, const Options& options) {
  auto store = Store::open(properties, options);
  if (!store) return failure(std::move(store));
  return std::make_shared<KafkaStream>(std::move(*store));
}

Result<std::optional<ports::TopicInfo>> KafkaStream::topic(const std::string& name) {
  return store_->topic(name, store_->soon());
}

Result<std::vector<ports::TopicInfo>> KafkaStream::topics() { return store_->all_topics(store_->soon()); }

Result<bool> KafkaStream::create_topic(const ports::TopicSpec& spec, ports::Deadline deadline) {
  if (spec.name.empty()) return failure(refused("a topic of " + name() + " needs a name"));
  auto replicas = store_->replicas_of_new_topics(deadline);
  if (!replicas) return failure(std::move(replicas));
  auto made = store_->admin().create_topic(spec, *replicas, settings_of(spec, *replicas), deadline);
  if (!made) return made;
  if (auto there = await_topic(spec, deadline); !there) return failure(std::move(there));
  return made;
}

// A topic is made before every broker knows it and its partitions have leaders.
Result<void> KafkaStream::await_topic(const ports::TopicSpec& spec, ports::Deadline deadline) {
  for (auto pause = shortest_pause;; pause = std::min(2 * pause, longest_pause)) {
    auto found = store_->admin().topic(spec.name, deadline);
    if (!found) return failure(std::move(found));
    if (*found && (*found)->has_leaders) return {};
    if (std::chrono::steady_clock::now() >= deadline) break;
    std::this_thread::sleep_for(pause);
  }
  return failure(kafka_error(RD_KAFKA_RESP_ERR__TIMED_OUT, "topic '" + spec.name + "' was made but has no leaders yet",
                             {}, Effect::yes));
}

Result<std::unique_ptr<ports::TransactionalProducer>> KafkaStream::transactional_producer(
    const std::string& transactional_id, std::chrono::milliseconds transaction_timeout, ports::Deliveries& deliveries) {
  if (transactional_id.empty()) return failure(refused("a transactional id of " + name() + " cannot be empty"));
  if (auto checked = store_->check_transaction_timeout(transaction_timeout); !checked) {
    return failure(std::move(checked));
  }
  return std::make_unique<KafkaTransactionalProducer>(store_, transactional_id, transaction_timeout, deliveries);
}

Result<std::unique_ptr<ports::Producer>> KafkaStream::producer(ports::Deliveries& deliveries) {
  auto sender = Sender::open(store_, producer_properties(store_->properties()), deliveries);
  if (!sender) return failure(std::move(sender));
  if (auto warmed = (*sender)->warm(store_->soon()); !warmed) return failure(std::move(warmed));
  return std::make_unique<KafkaProducer>(std::move(*sender));
}

Result<std::unique_ptr<ports::Reader>> KafkaStream::reader(const std::vector<ports::ReadFrom>& from,
                                                           ports::Isolation isolation) {
  return KafkaReader::open(store_, from, isolation);
}

Result<ports::EventStream::Bounds> KafkaStream::bounds(const std::string& topic, std::int32_t partition,
                                                       ports::Isolation isolation) {
  return store_->bounds(topic, partition, isolation);
}

Result<void> KafkaStream::store_positions(const std::string& consumer, std::span<const ports::Position> positions) {
  return store_->admin().store_group_positions(consumer, positions, store_->soon());
}

Result<std::vector<ports::Position>> KafkaStream::positions(const std::string& consumer) {
  return store_->admin().group_positions(consumer, store_->soon());
}

Result<std::unique_ptr<ports::GroupMember>> KafkaStream::join_group(const ports::GroupSpec& spec) {
  return KafkaGroupMember::join(store_, spec);
}

}  // namespace write_aside::kafka
