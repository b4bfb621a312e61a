// Questions to the cluster, and topics to be made. Each call waits, bounded.
//
// Threads: safe from many threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapters/kafka/client.hpp"
#include "write_aside/ports/event_stream.hpp"
#include "write_aside/result.hpp"

namespace write_aside::kafka {

// Between two questions about what a cluster has not settled yet.
inline constexpr std::chrono::milliseconds shortest_pause{2};
inline constexpr std::chrono::milliseconds longest_pause{50};

// Settings by name.
using Settings = std::map<std::string, std::string, std::less<>>;

struct TopicLayout {
  std::string name;
  std::int32_t partitions = 0;
  std::int32_t replicas = 0;  // of the partition that has the fewest
  bool has_leaders = false;   // of all its partitions: it can be written
};

class Admin {
 public:
  explicit Admin(const Client& client) : client_(client) {}

  // The first answer of the cluster: its brokers. Gives up early where only other properties can help.
  [[nodiscard]] Result<std::vector<std::int32_t>> connect(ports::Deadline deadline) const;
  [[nodiscard]] Result<std::string> cluster_id(ports::Deadline deadline) const;
  [[nodiscard]] Result<std::vector<TopicLayout>> topics(ports::Deadline deadline) const;
  // None: no such topic.
  [[nodiscard]] Result<std::optional<TopicLayout>> topic(const std::string& name, ports::Deadline deadline) const;
  [[nodiscard]] Result<Settings> broker_settings(std::int32_t broker, ports::Deadline deadline) const;
  // By the topic's name; a topic whose settings may not be seen has the error instead.
  [[nodiscard]] Result<std::map<std::string, Result<Settings>>> topic_settings(const std::vector<std::string>& names,
                                                                               ports::Deadline deadline) const;
  // False: it was there already.
  [[nodiscard]] Result<bool> create_topic(const ports::TopicSpec& spec, std::int16_t replicas, const Settings& settings,
                                          ports::Deadline deadline) const;
  [[nodiscard]] Result<std::vector<ports::Position>> group_positions(const std::string& group,
                                                                     ports::Deadline deadline) const;
  [[nodiscard]] Result<void> store_group_positions(const std::string& group, std::span<const ports::Position> positions,
                                                   ports::Deadline deadline) const;
  [[nodiscard]] Result<ports::EventStream::Bounds> bounds(const std::string& topic, std::int32_t partition,
                                                          ports::Deadline deadline) const;

 private:
  [[nodiscard]] AdminOptionsHandle options(rd_kafka_admin_op_t operation, ports::Deadline deadline) const;
  [[nodiscard]] Result<EventHandle> answer(rd_kafka_queue_t& queue, std::string_view what,
                                           ports::Deadline deadline) const;
  [[nodiscard]] Result<std::vector<ports::Position>> ask_for_positions(const std::string& group,
                                                                       ports::Deadline deadline) const;
  [[nodiscard]] Result<void> ask_to_store(const std::string& group, std::span<const ports::Position> positions,
                                          ports::Deadline deadline) const;
  [[nodiscard]] Result<EventHandle> describe(std::span<const ConfigResourceHandle> resources, std::string_view what,
                                             ports::Deadline deadline) const;

  const Client& client_;
};

}  // namespace write_aside::kafka
