// The producers of a local stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/local_stream/log.hpp"
#include "adapters/local_stream/store.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::local_stream {

// Stages the records of its transaction at once, as a short write transaction per call, so that no lock is held
// between calls and several producers of several processes can have transactions open. What the time-out or a newer
// instance took away is noticed at the next call: `fenced`.
class LocalTransactionalProducer final : public ports::TransactionalProducer {
 public:
  LocalTransactionalProducer(std::shared_ptr<Store> store, std::string transactional_id,
                             std::chrono::milliseconds transaction_timeout, ports::Deliveries& deliveries)
      : store_(std::move(store)),
        transactional_id_(std::move(transactional_id)),
        transaction_timeout_(transaction_timeout),
        deliveries_(deliveries),
        appender_(*store_) {}

  Result<void> initialise(ports::Deadline deadline) override;
  Result<void> begin() override;
  Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token) override;
  ports::EndReport end(ports::Ending ending, ports::Deadline deadline) override;

 private:
  struct Touched {
    std::int64_t ref = 0;
    bool compacted = false;
  };
  enum class State { fresh, ready, open, fenced };

  [[nodiscard]] Error misused(std::string_view what) const;
  [[nodiscard]] Error fenced() const;
  [[nodiscard]] Result<void> take_epoch(Writing& writing);
  [[nodiscard]] Result<void> check_epoch(Writing& writing);
  [[nodiscard]] Result<std::int64_t> stage(std::span<const ports::RecordView> records);
  [[nodiscard]] Result<void> mark_open(Writing& writing, std::vector<Touched>& added);
  [[nodiscard]] Result<void> end_transaction(ports::Ending ending, ports::Deadline deadline);

  std::shared_ptr<Store> store_;
  std::string transactional_id_;
  std::chrono::milliseconds transaction_timeout_;
  ports::Deliveries& deliveries_;
  Appender appender_;
  State state_ = State::fresh;
  std::int64_t id_ = 0;
  std::int64_t epoch_ = 0;
  std::vector<Touched> touched_;  // partitions marked as open by this transaction
};

// Each call is one durable transaction.
class LocalProducer final : public ports::Producer {
 public:
  LocalProducer(std::shared_ptr<Store> store, ports::Deliveries& deliveries)
      : store_(std::move(store)), deliveries_(deliveries), appender_(*store_) {}

  Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token) override;

 private:
  [[nodiscard]] Result<std::int64_t> append(std::span<const ports::RecordView> records);

  std::shared_ptr<Store> store_;
  ports::Deliveries& deliveries_;
  Appender appender_;  // used by whoever has the turn
};

}  // namespace write_aside::local_stream
