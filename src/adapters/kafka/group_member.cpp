#include "adapters/kafka/group_member.hpp"

#include <algorithm>
#include <utility>

#include "adapters/kafka/errors.hpp"
#include "adapters/kafka/properties.hpp"

namespace write_aside::kafka {
namespace {

constexpr int callbacks_max = 1'000;  // of one call of share()
constexpr std::chrono::milliseconds leaving_max{2'000};
constexpr int leaving_step = 10;  // milliseconds

PartitionListHandle list_of(const std::vector<ports::TopicPartition>& partitions) {
  PartitionListHandle list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const auto& [topic, number] : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), number);
  }
  return list;
}

bool may_be_destroyed(const Client& client) {
  constexpr int mended_in = 0x02030000;
  return rd_kafka_version() >= mended_in || client.was_given_share();
}

}  // namespace

Result<std::unique_ptr<ports::GroupMember>> KafkaGroupMember::join(std::shared_ptr<Store> store,
                                                                   const ports::GroupSpec& spec) {
  const PartitionListHandle topics(rd_kafka_topic_partition_list_new(static_cast<int>(spec.topics.size())));
  for (const std::string& name : spec.topics) {
    if (auto known = store->known_topic(name); !known) return failure(std::move(known));
    rd_kafka_topic_partition_list_add(topics.get(), name.c_str(), RD_KAFKA_PARTITION_UA);
  }
  auto client = Client::open(RD_KAFKA_CONSUMER, group_properties(store->properties(), spec));
  if (!client) return failure(std::move(client));
  rd_kafka_poll_set_consumer((*client)->get());
  if (const auto code = rd_kafka_subscribe((*client)->get(), topics.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return failure((*client)->error(code, "joining the group '" + spec.name + "' failed"));
  }
  return std::make_unique<KafkaGroupMember>(std::move(store), *std::move(client), spec);
}

KafkaGroupMember::KafkaGroupMember(std::shared_ptr<Store> store, std::unique_ptr<Client> client,
                                   const ports::GroupSpec& spec)
    : store_(std::move(store)), client_(std::move(client)), group_(spec.name), is_static_(!spec.instance.empty()) {}

// librdkafka below 2.3 ends the process when a consumer is destroyed that has joined a group and had no share yet (#4312).
// So it waits for one, and whoever gets none in time is kept for ever.
KafkaGroupMember::~KafkaGroupMember() {
  const auto deadline = std::chrono::steady_clock::now() + leaving_max;
  while (!may_be_destroyed(*client_) && std::chrono::steady_clock::now() < deadline) {
    const MessageHandle message(rd_kafka_consumer_poll(client_->get(), leaving_step));
  }
  leave();
  if (!may_be_destroyed(*client_)) static_cast<void>(client_.release());
}

// A close alone does not leave a cooperative group (seen with 2.0.2): the partitions would stay with the member that is gone
// until its session timed out. So it first gives up its subscription, which does.
void KafkaGroupMember::leave() {
  if (!is_static_ && rd_kafka_unsubscribe(client_->get()) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const auto deadline = std::chrono::steady_clock::now() + leaving_max;
    while (std::chrono::steady_clock::now() < deadline) {
      const MessageHandle message(rd_kafka_consumer_poll(client_->get(), leaving_step));
      const auto left = assigned();
      if (!left || left->empty()) break;
    }
  }
  static_cast<void>(rd_kafka_consumer_close(client_->get()));
}

// Answers what the group's leader asks for; librdkafka does it from within these calls.
Result<void> KafkaGroupMember::serve() {
  for (int count = 0; count < callbacks_max; ++count) {
    const MessageHandle message(rd_kafka_consumer_poll(client_->get(), 0));
    if (message == nullptr) return {};
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const Error error = naming_right(client_->error(message->err, "taking part in the group '" + group_ + "' failed"),
                                     "Read on the group");
    if (error.code == ErrorCode::not_authorised || error.code == ErrorCode::invalid_argument) return failure(error);
    // librdkafka goes on by itself
  }
  return {};
}

Result<std::vector<ports::TopicPartition>> KafkaGroupMember::assigned() {
  rd_kafka_topic_partition_list_t* found = nullptr;
  if (const auto code = rd_kafka_assignment(client_->get(), &found); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return failure(client_->error(code, "asking for the share of the group '" + group_ + "' failed"));
  }
  const PartitionListHandle list(found);
  std::vector<ports::TopicPartition> partitions;
  for (int index = 0; index < list->cnt; ++index) {
    partitions.push_back({list->elems[index].topic, list->elems[index].partition});
  }
  std::sort(partitions.begin(), partitions.end());
  return partitions;
}

Result<std::vector<ports::TopicPartition>> KafkaGroupMember::share() {
  if (auto served = serve(); !served) return failure(std::move(served));
  auto now = assigned();
  if (!now) return now;
  if (*now != share_) {
    const PartitionListHandle list = list_of(*now);
    rd_kafka_pause_partitions(client_->get(), list.get());
    share_ = *now;
  }
  return now;
}

Result<void> KafkaGroupMember::report(std::span<const ports::Position> positions) {
  const PartitionListHandle list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const ports::Position& one : positions) {
    rd_kafka_topic_partition_list_add(list.get(), one.topic.c_str(), one.partition)->offset = one.offset;
  }
  // Without waiting: a report that is lost or refused is followed by the next one.
  rd_kafka_commit(client_->get(), list.get(), 1);
  return {};
}

}  // namespace write_aside::kafka
