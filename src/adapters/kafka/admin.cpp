#include "adapters/kafka/admin.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

#include "adapters/kafka/errors.hpp"

namespace write_aside::kafka {
namespace {

constexpr std::chrono::milliseconds connect_step{250};
constexpr int shortest_request_ms = 100;  // librdkafka's own limits are finite, too

QueueHandle make_queue(const Client& client) { return QueueHandle(rd_kafka_queue_new(client.get())); }

// As just after a topic was made, and after a broker went: the next one asked knows better. A broker that has just
// started may not know all partitions yet, which librdkafka tells as a code of its own.
bool is_changing_leader(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION || code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
         code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

// As when a cluster's first group makes the topic of all groups, and after a broker went. Nothing was done.
bool is_moving_coordinator(const Error& error) {
  static constexpr std::array codes{RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                                    RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR};
  return std::any_of(codes.begin(), codes.end(), [&error](rd_kafka_resp_err_t code) {
    return error.driver.starts_with(rd_kafka_err2name(code) + std::string(" ("));
  });
}

// Asks until a group's coordinator is found, or the deadline has come.
template <class Ask>
auto ask_coordinator(ports::Deadline deadline, Ask ask) -> decltype(ask()) {
  for (;;) {
    auto answered = ask();
    if (answered || !is_moving_coordinator(answered.error())) return answered;
    if (std::chrono::steady_clock::now() + longest_pause >= deadline) return answered;
    std::this_thread::sleep_for(longest_pause);
  }
}

TopicLayout layout_of(const rd_kafka_metadata_topic& topic) {
  TopicLayout layout{.name = topic.topic, .partitions = topic.partition_cnt, .replicas = 0, .has_leaders = true};
  for (const auto& partition : std::span(topic.partitions, static_cast<std::size_t>(topic.partition_cnt))) {
    layout.has_leaders = layout.has_leaders && partition.leader >= 0;
    layout.replicas =
        layout.replicas == 0 ? partition.replica_cnt : std::min<std::int32_t>(layout.replicas, partition.replica_cnt);
  }
  return layout;
}

Settings settings_of(const rd_kafka_ConfigResource_t& resource) {
  std::size_t count = 0;
  const auto* const* const entries = rd_kafka_ConfigResource_configs(&resource, &count);
  Settings settings;
  for (const auto* const entry : std::span(entries, count)) {
    const char* const value = rd_kafka_ConfigEntry_value(entry);  // null where it is sensitive
    settings.emplace(rd_kafka_ConfigEntry_name(entry), value != nullptr ? value : "");
  }
  return settings;
}

PartitionListHandle list_of(std::span<const ports::Position> positions) {
  PartitionListHandle list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const ports::Position& position : positions) {
    rd_kafka_topic_partition_list_add(list.get(), position.topic.c_str(), position.partition)->offset = position.offset;
  }
  return list;
}

std::span<const rd_kafka_topic_partition_t> partitions_of(const rd_kafka_group_result_t& group) {
  const rd_kafka_topic_partition_list_t* const list = rd_kafka_group_result_partitions(&group);
  if (list == nullptr) return {};
  return {list->elems, static_cast<std::size_t>(list->cnt)};
}

}  // namespace

Result<std::vector<std::int32_t>> Admin::connect(ports::Deadline deadline) const {
  for (;;) {
    const auto step = std::min(deadline, std::chrono::steady_clock::now() + connect_step);
    const rd_kafka_metadata_t* found = nullptr;
    const auto code = rd_kafka_metadata(client_.get(), 0, nullptr, &found, milliseconds_until(step));
    const MetadataHandle metadata(found);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      std::vector<std::int32_t> brokers;
      for (const auto& broker : std::span(metadata->brokers, static_cast<std::size_t>(metadata->broker_cnt))) {
        brokers.push_back(broker.id);
      }
      return brokers;
    }
    const Client::Obstacle obstacle = client_.obstacle();
    const bool hopeless = obstacle == Client::Obstacle::credentials || obstacle == Client::Obstacle::encryption;
    if (hopeless || std::chrono::steady_clock::now() >= deadline) {
      return failure(client_.error(code, "connecting to Kafka failed"));
    }
  }
}

Result<std::string> Admin::cluster_id(ports::Deadline deadline) const {
  char* const found = rd_kafka_clusterid(client_.get(), milliseconds_until(deadline));
  if (found == nullptr) {
    return failure(client_.error(RD_KAFKA_RESP_ERR__TIMED_OUT, "asking for the cluster's id failed"));
  }
  std::string id = found;
  rd_kafka_mem_free(client_.get(), found);
  return id;
}

Result<std::vector<TopicLayout>> Admin::topics(ports::Deadline deadline) const {
  const rd_kafka_metadata_t* found = nullptr;
  const auto code = rd_kafka_metadata(client_.get(), 1, nullptr, &found, milliseconds_until(deadline));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(client_.error(code, "listing the topics failed"));
  const MetadataHandle metadata(found);
  std::vector<TopicLayout> topics;
  for (const auto& topic : std::span(metadata->topics, static_cast<std::size_t>(metadata->topic_cnt))) {
    const bool is_kafkas_own = std::string_view(topic.topic).starts_with("__");
    if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR && !is_kafkas_own) topics.push_back(layout_of(topic));
  }
  return topics;
}

Result<std::optional<TopicLayout>> Admin::topic(const std::string& name, ports::Deadline deadline) const {
  const std::string what = "looking up topic '" + name + "' failed";
  const TopicHandle handle(rd_kafka_topic_new(client_.get(), name.c_str(), nullptr));
  if (handle == nullptr) return failure(kafka_error(rd_kafka_last_error(), what));
  const rd_kafka_metadata_t* found = nullptr;
  auto code = rd_kafka_metadata(client_.get(), 0, handle.get(), &found, milliseconds_until(deadline));
  const MetadataHandle metadata(found);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (metadata->topic_cnt != 1) return std::optional<TopicLayout>{};
    code = metadata->topics[0].err;
  }
  switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
      return layout_of(metadata->topics[0]);
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:  // no topic can have such a name
      return std::optional<TopicLayout>{};
    default:
      return failure(naming_right(client_.error(code, what), "Read or Write on the topic"));
  }
}

AdminOptionsHandle Admin::options(rd_kafka_admin_op_t operation, ports::Deadline deadline) const {
  AdminOptionsHandle options(rd_kafka_AdminOptions_new(client_.get(), operation));
  std::array<char, 256> words{};
  // It cannot fail: the value is within bounds.
  static_cast<void>(rd_kafka_AdminOptions_set_request_timeout(
      options.get(), std::max(milliseconds_until(deadline), shortest_request_ms), words.data(), words.size()));
  return options;
}

Result<EventHandle> Admin::answer(rd_kafka_queue_t& queue, std::string_view what, ports::Deadline deadline) const {
  EventHandle event(rd_kafka_queue_poll(&queue, std::max(milliseconds_until(deadline), shortest_request_ms)));
  if (event == nullptr) return failure(client_.error(RD_KAFKA_RESP_ERR__TIMED_OUT, what, Effect::unknown));
  if (const auto code = rd_kafka_event_error(event.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return failure(client_.error(code, what, Effect::unknown));
  }
  return event;
}

Result<EventHandle> Admin::describe(std::span<const ConfigResourceHandle> resources, std::string_view what,
                                    ports::Deadline deadline) const {
  const QueueHandle queue = make_queue(client_);
  std::vector<rd_kafka_ConfigResource_t*> asked;
  for (const ConfigResourceHandle& resource : resources) asked.push_back(resource.get());
  const AdminOptionsHandle with = options(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, deadline);
  rd_kafka_DescribeConfigs(client_.get(), asked.data(), asked.size(), with.get(), queue.get());
  return answer(*queue, what, deadline);
}

Result<Settings> Admin::broker_settings(std::int32_t broker, ports::Deadline deadline) const {
  const std::string what = "reading the settings of broker " + std::to_string(broker) + " failed";
  const std::array<ConfigResourceHandle, 1> asked{
      ConfigResourceHandle(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, std::to_string(broker).c_str()))};
  auto event = describe(asked, what, deadline);
  if (!event) return failure(std::move(event));
  std::size_t count = 0;
  const auto* const* const resources =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event->get()), &count);
  if (count != 1) return failure(kafka_error(RD_KAFKA_RESP_ERR__BAD_MSG, what));
  if (const auto code = rd_kafka_ConfigResource_error(resources[0]); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return failure(naming_right(client_.error(code, what), "DescribeConfigs on the cluster"));
  }
  return settings_of(*resources[0]);
}

Result<std::map<std::string, Result<Settings>>> Admin::topic_settings(const std::vector<std::string>& names,
                                                                      ports::Deadline deadline) const {
  std::map<std::string, Result<Settings>> settings;
  if (names.empty()) return settings;
  std::vector<ConfigResourceHandle> asked;
  for (const std::string& name : names) {
    asked.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
  }
  auto event = describe(asked, "reading the settings of topics failed", deadline);
  if (!event) return failure(std::move(event));
  std::size_t count = 0;
  const auto* const* const resources =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event->get()), &count);
  for (const auto* const resource : std::span(resources, count)) {
    const char* const name = rd_kafka_ConfigResource_name(resource);
    const auto code = rd_kafka_ConfigResource_error(resource);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      settings.emplace(name, settings_of(*resource));
    } else {
      const std::string what = "reading the settings of topic '" + std::string(name) + "' failed";
      settings.emplace(name, failure(naming_right(client_.error(code, what), describe_configs_on_topic)));
    }
  }
  return settings;
}

Result<bool> Admin::create_topic(const ports::TopicSpec& spec, std::int16_t replicas, const Settings& settings,
                                 ports::Deadline deadline) const {
  const std::string what = "making topic '" + spec.name + "' failed";
  std::array<char, 256> words{};
  const NewTopicHandle topic(
      rd_kafka_NewTopic_new(spec.name.c_str(), spec.partitions, replicas, words.data(), words.size()));
  if (topic == nullptr) return failure(refused(what + ": " + words.data()));
  for (const auto& [name, value] : settings) {
    if (const auto code = rd_kafka_NewTopic_set_config(topic.get(), name.c_str(), value.c_str());
        code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return failure(kafka_error(code, what));
    }
  }
  const QueueHandle queue = make_queue(client_);
  rd_kafka_NewTopic_t* asked = topic.get();
  const AdminOptionsHandle with = options(RD_KAFKA_ADMIN_OP_CREATETOPICS, deadline);
  rd_kafka_CreateTopics(client_.get(), &asked, 1, with.get(), queue.get());
  auto event = answer(*queue, what, deadline);
  if (!event) return failure(std::move(event));
  std::size_t count = 0;
  const auto* const* const made =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event->get()), &count);
  if (count != 1) return failure(kafka_error(RD_KAFKA_RESP_ERR__BAD_MSG, what, {}, Effect::unknown));
  const auto code = rd_kafka_topic_result_error(made[0]);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
  if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return false;
  const char* const why = rd_kafka_topic_result_error_string(made[0]);
  return failure(
      naming_right(kafka_error(code, what, why != nullptr ? why : ""), "Create on the topic, or on the cluster"));
}

Result<std::vector<ports::Position>> Admin::group_positions(const std::string& group, ports::Deadline deadline) const {
  return ask_coordinator(deadline, [&] { return ask_for_positions(group, deadline); });
}

Result<std::vector<ports::Position>> Admin::ask_for_positions(const std::string& group,
                                                              ports::Deadline deadline) const {
  const std::string what = "reading the positions of consumer '" + group + "' failed";
  const QueueHandle queue = make_queue(client_);
  const ListOffsetsHandle request(rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), nullptr));
  rd_kafka_ListConsumerGroupOffsets_t* asked = request.get();
  const AdminOptionsHandle with = options(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, deadline);
  rd_kafka_ListConsumerGroupOffsets(client_.get(), &asked, 1, with.get(), queue.get());
  auto event = answer(*queue, what, deadline);
  if (!event) return failure(std::move(event));
  std::size_t count = 0;
  const auto* const* const groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
      rd_kafka_event_ListConsumerGroupOffsets_result(event->get()), &count);
  std::vector<ports::Position> positions;
  for (const auto* const one : std::span(groups, count)) {
    if (const rd_kafka_error_t* const error = rd_kafka_group_result_error(one); error != nullptr) {
      return failure(client_.error(*error, what));
    }
    for (const rd_kafka_topic_partition_t& partition : partitions_of(*one)) {
      if (partition.err != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(client_.error(partition.err, what));
      if (partition.offset >= 0) positions.push_back({partition.topic, partition.partition, partition.offset});
    }
  }
  return positions;
}

Result<void> Admin::store_group_positions(const std::string& group, std::span<const ports::Position> positions,
                                          ports::Deadline deadline) const {
  if (positions.empty()) return {};
  return ask_coordinator(deadline, [&] { return ask_to_store(group, positions, deadline); });
}

Result<void> Admin::ask_to_store(const std::string& group, std::span<const ports::Position> positions,
                                 ports::Deadline deadline) const {
  const std::string what = "storing the positions of consumer '" + group + "' failed";
  const PartitionListHandle list = list_of(positions);
  const QueueHandle queue = make_queue(client_);
  const AlterOffsetsHandle request(rd_kafka_AlterConsumerGroupOffsets_new(group.c_str(), list.get()));
  rd_kafka_AlterConsumerGroupOffsets_t* asked = request.get();
  const AdminOptionsHandle with = options(RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, deadline);
  rd_kafka_AlterConsumerGroupOffsets(client_.get(), &asked, 1, with.get(), queue.get());
  auto event = answer(*queue, what, deadline);
  if (!event) return failure(std::move(event));
  std::size_t count = 0;
  const auto* const* const groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
      rd_kafka_event_AlterConsumerGroupOffsets_result(event->get()), &count);
  for (const auto* const one : std::span(groups, count)) {
    if (const rd_kafka_error_t* const error = rd_kafka_group_result_error(one); error != nullptr) {
      return failure(client_.error(*error, what, Effect::unknown));
    }
    for (const rd_kafka_topic_partition_t& partition : partitions_of(*one)) {
      if (partition.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return failure(client_.error(partition.err, what, Effect::unknown));
      }
    }
  }
  return {};
}

Result<ports::EventStream::Bounds> Admin::bounds(const std::string& topic, std::int32_t partition,
                                                 ports::Deadline deadline) const {
  ports::EventStream::Bounds bounds;
  for (auto pause = shortest_pause;; pause = std::min(2 * pause, longest_pause)) {
    const auto code = rd_kafka_query_watermark_offsets(client_.get(), topic.c_str(), partition, &bounds.begin,
                                                       &bounds.end, milliseconds_until(deadline));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return bounds;
    if (!is_changing_leader(code) || std::chrono::steady_clock::now() >= deadline) {
      return failure(
          client_.error(code, "asking for the bounds of " + topic + '[' + std::to_string(partition) + "] failed"));
    }
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace write_aside::kafka
