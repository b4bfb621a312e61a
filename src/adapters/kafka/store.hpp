// An opened cluster: the properties, the clients that ask it questions, and what is known of its topics. Shared by the
// stream, its producers and its readers. Threads: safe from many threads.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adapters/kafka/admin.hpp"
#include "adapters/kafka/client.hpp"
#include "adapters/kafka/topics.hpp"
#include "write_aside/adapters/kafka.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::kafka {

class Store {
 public:
  // What a batch takes beside its only record, with up to about 90 headers.
  static constexpr std::size_t framing_bytes = 1024;

  // Connects, and checks the brokers' version.
  [[nodiscard]] static Result<std::shared_ptr<Store>> open(const Properties& properties, const Options& options);
  Store(Properties properties, const Options& options);  // of no use until opened: call open()

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& cluster_id() const { return cluster_id_; }
  [[nodiscard]] const Properties& properties() const { return properties_; }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] std::size_t record_bytes_max() const { return record_bytes_max_; }
  [[nodiscard]] KnownTopics& topics() { return topics_; }
  // Of a question without a deadline of its own.
  [[nodiscard]] ports::Deadline soon() const { return std::chrono::steady_clock::now() + options_.request_timeout; }

  [[nodiscard]] Admin admin() const { return Admin(*client_); }
  // None: no such topic. Brokers learn of a new one each in its own time, and any of them may be asked: with several, "none"
  // is believed only after a second.
  [[nodiscard]] Result<std::optional<ports::TopicInfo>> topic(const std::string& name, ports::Deadline deadline);
  [[nodiscard]] Result<std::vector<ports::TopicInfo>> all_topics(ports::Deadline deadline);
  // From memory, else asked; `unknown_topic` if there is none.
  [[nodiscard]] Result<KnownTopic> known_topic(std::string_view name);
  // `unknown_topic`, or `invalid_argument` for a partition that is not there.
  [[nodiscard]] Result<void> check_partition(const std::string& topic, std::int32_t partition);
  [[nodiscard]] Result<ports::EventStream::Bounds> bounds(const std::string& topic, std::int32_t partition,
                                                          ports::Isolation isolation);
  // Refuses a time-out that the brokers would refuse later, with both numbers.
  [[nodiscard]] Result<void> check_transaction_timeout(std::chrono::milliseconds timeout) const;
  [[nodiscard]] Result<std::int16_t> replicas_of_new_topics(ports::Deadline deadline) const;
  [[nodiscard]] Error unknown_topic(std::string_view topic) const;

 private:
  [[nodiscard]] Result<void> connect();
  [[nodiscard]] std::string remark_on_scram() const;
  [[nodiscard]] Result<void> check_brokers(const std::vector<std::int32_t>& brokers, ports::Deadline deadline);
  [[nodiscard]] ports::TopicInfo remember(const TopicLayout& layout, const Result<Settings>& settings);
  [[nodiscard]] Result<std::optional<ports::TopicInfo>> ask_for_topic(const std::string& name,
                                                                      ports::Deadline deadline);
  [[nodiscard]] Result<const Client*> client_of(ports::Isolation isolation);

  const Properties properties_;
  const Options options_;
  std::string name_;
  std::string cluster_id_;
  std::size_t broker_count_ = 1;
  std::size_t record_bytes_max_ = 0;
  std::chrono::milliseconds transaction_timeout_max_{0};  // of the brokers; 0: cannot be told
  KnownTopics topics_;
  std::unique_ptr<Client> client_;  // read_committed
  std::mutex mutex_;
  std::unique_ptr<Client> uncommitted_client_;  // made when somebody asks for it
};

}  // namespace write_aside::kafka
