// The producers of a Kafka stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "adapters/kafka/sender.hpp"
#include "adapters/kafka/store.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::kafka {

// One librdkafka instance for each initialisation. After an end that was not clean, or any failure but a refusal, it
// refuses everything: what it sent may still arrive, and must not meet a later transaction of the same instance (B4).
class KafkaTransactionalProducer final : public ports::TransactionalProducer {
 public:
  KafkaTransactionalProducer(std::shared_ptr<Store> store, std::string transactional_id,
                             std::chrono::milliseconds transaction_timeout, ports::Deliveries& deliveries)
      : store_(std::move(store)),
        transactional_id_(std::move(transactional_id)),
        transaction_timeout_(transaction_timeout),
        deliveries_(deliveries) {}

  Result<void> initialise(ports::Deadline deadline) override;
  Result<void> begin() override;
  Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token) override;
  ports::EndReport end(ports::Ending ending, ports::Deadline deadline) override;
  // The broker answers before its markers are written. Until they are, it refuses the next transaction
  // (CONCURRENT_TRANSACTIONS), and librdkafka asks again only after 20 ms.
  std::chrono::milliseconds rest_after_end() const override { return std::chrono::milliseconds(4); }

 private:
  enum class State { fresh, ready, open, broken };

  [[nodiscard]] Error misused(std::string_view what) const;
  [[nodiscard]] std::string describe(std::string_view what) const;
  [[nodiscard]] Result<void> check_state(State expected, std::string_view mistake) const;
  // With a new instance. True: initialised; false: not before `until`, and there is time to try again.
  [[nodiscard]] Result<bool> try_to_initialise(ports::Deadline until, ports::Deadline deadline);
  [[nodiscard]] Error not_clean(std::int64_t requests_sent) const;

  std::shared_ptr<Store> store_;
  const std::string transactional_id_;
  const std::chrono::milliseconds transaction_timeout_;
  ports::Deliveries& deliveries_;
  State state_ = State::fresh;
  Error broken_by_;
  bool has_records_ = false;           // in the open transaction
  std::int64_t end_requests_due_ = 0;  // of this instance so far, had each been sent once
  std::unique_ptr<Sender> sender_;
};

class KafkaProducer final : public ports::Producer {
 public:
  explicit KafkaProducer(std::unique_ptr<Sender> sender) : sender_(std::move(sender)) {}

  Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token) override {
    return sender_->produce(records, token);
  }

 private:
  std::unique_ptr<Sender> sender_;
};

}  // namespace write_aside::kafka
