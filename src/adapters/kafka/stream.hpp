// A Kafka cluster behind the EventStream port.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/kafka/store.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::kafka {

class KafkaStream final : public ports::EventStream {
 public:
  explicit KafkaStream(std::shared_ptr<Store> store) : store_(std::move(store)) {}

  std::string name() const override { return store_->name(); }
  Result<std::string> identity() override { return store_->cluster_id(); }
  Result<std::optional<ports::TopicInfo>> topic(const std::string& name) override;
  Result<std::vector<ports::TopicInfo>> topics() override;
  Result<bool> create_topic(const ports::TopicSpec& spec, ports::Deadline deadline) override;
  std::size_t record_bytes_max() const override { return store_->record_bytes_max(); }
  Result<std::unique_ptr<ports::TransactionalProducer>> transactional_producer(
      const std::string& transactional_id, std::chrono::milliseconds transaction_timeout,
      ports::Deliveries& deliveries) override;
  Result<std::unique_ptr<ports::Producer>> producer(ports::Deliveries& deliveries) override;
  Result<std::unique_ptr<ports::Reader>> reader(const std::vector<ports::ReadFrom>& from,
                                                ports::Isolation isolation) override;
  Result<Bounds> bounds(const std::string& topic, std::int32_t partition, ports::Isolation isolation) override;
  Result<void> store_positions(const std::string& consumer, std::span<const ports::Position> positions) override;
  Result<std::vector<ports::Position>> positions(const std::string& consumer) override;
  Result<std::unique_ptr<ports::GroupMember>> join_group(const ports::GroupSpec& spec) override;

 private:
  [[nodiscard]] Result<void> await_topic(const ports::TopicSpec& spec, ports::Deadline deadline);

  std::shared_ptr<Store> store_;
};

}  // namespace write_aside::kafka
