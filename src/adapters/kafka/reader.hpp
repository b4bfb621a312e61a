// Reads partitions of a Kafka cluster with a client of its own, outside of any consumer group.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/kafka/client.hpp"
#include "adapters/kafka/store.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::kafka {

class KafkaReader final : public ports::Reader {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ports::Reader>> open(std::shared_ptr<Store> store,
                                                                   const std::vector<ports::ReadFrom>& from,
                                                                   ports::Isolation isolation);
  KafkaReader(std::shared_ptr<Store> store, std::unique_ptr<Client> client, ports::Isolation isolation);
  ~KafkaReader() override;

  Result<std::vector<ports::StoredRecord>> poll(std::size_t records_max, ports::Deadline deadline) override;
  Result<std::int64_t> position(const std::string& topic, std::int32_t partition) override;

 private:
  struct Cursor {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t offset = 0;  // the next to be read
    TopicHandle handle;
    bool exact = false;
    bool fetching = false;
  };
  // One poll's yield, and its limits.
  struct Haul {
    std::vector<ports::StoredRecord> records;
    std::size_t records_max = 0;
    std::size_t bytes = 0;
    bool moved = false;  // a position has passed over what is not shown
    [[nodiscard]] bool is_full() const;
  };

  [[nodiscard]] Result<void> add(const ports::ReadFrom& from);
  [[nodiscard]] Result<void> start(Cursor& cursor);
  [[nodiscard]] Result<void> fill(Haul& haul, ports::Deadline deadline);
  [[nodiscard]] Result<void> take(const rd_kafka_message_t& message, Haul& haul);
  [[nodiscard]] Result<void> handle_loss(Cursor& cursor);
  [[nodiscard]] Cursor* find(std::string_view topic, std::int32_t partition);

  std::shared_ptr<Store> store_;
  ports::Isolation isolation_;
  std::unique_ptr<Client> client_;
  QueueHandle queue_;
  std::deque<Cursor> cursors_;
  std::optional<Error> broken_;  // what was read when it happened is gone, so there is no going on
};

}  // namespace write_aside::kafka
