// The producers of a local stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapters/local_stream/log.hpp"
#include "adapters/local_stream/planned_records.hpp"
#include "adapters/local_stream/store.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::local_stream {

// Stages the records of its transaction at once, as a short write transaction per call, so that no lock is held
// between calls and several producers of several processes can have transactions open. What the time-out or a newer
// instance took away is noticed at the next call: `fenced`.
//
// Where it may hold records back (hold_back) it keeps them in memory, up to a limit, and writes them in the very
// transaction that commits them: nobody waits for a transaction that the file does not know of. Only the epoch is looked
// at in the file: a lane's order over a change of owner needs that a former owner gets no vote.
class LocalTransactionalProducer final : public ports::TransactionalProducer {
 public:
  LocalTransactionalProducer(std::shared_ptr<Store> store, std::string transactional_id,
                             std::chrono::milliseconds transaction_timeout, ports::Deliveries& deliveries)
      : store_(std::move(store)),
        transactional_id_(std::move(transactional_id)),
        transaction_timeout_(transaction_timeout),
        deliveries_(deliveries),
        planner_(*store_) {}

  Result<void> initialise(ports::Deadline deadline) override;
  Result<void> begin() override;
  Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token) override;
  ports::EndReport end(ports::Ending ending, ports::Deadline deadline) override;
  void hold_back() override { may_hold_back_ = true; }

 private:
  enum class State { fresh, ready, open, fenced };

  [[nodiscard]] Error misused(std::string_view what) const;
  [[nodiscard]] Error fenced() const;
  [[nodiscard]] Result<void> take_epoch(Writing& writing);
  [[nodiscard]] Result<void> check_epoch(sqlite_handles::Connection& connection);
  [[nodiscard]] Result<void> check_epoch_aside();
  [[nodiscard]] Result<std::int64_t> take_in(std::span<const ports::RecordView> records);
  [[nodiscard]] bool holds_back() const;
  [[nodiscard]] Result<std::int64_t> hold(std::size_t first);
  [[nodiscard]] Result<std::int64_t> stage_held(std::size_t asked_for);
  [[nodiscard]] Result<void> mark_open(Writing& writing, const std::vector<Target>& targets,
                                       std::vector<Target>& added);
  [[nodiscard]] Result<void> end_transaction(ports::Ending ending, ports::Deadline deadline);
  [[nodiscard]] Result<void> commit_transaction(ports::Deadline deadline);
  [[nodiscard]] Result<void> abort_transaction(ports::Deadline deadline);

  std::shared_ptr<Store> store_;
  std::string transactional_id_;
  std::chrono::milliseconds transaction_timeout_;
  ports::Deliveries& deliveries_;
  Planner planner_;
  State state_ = State::fresh;
  bool may_hold_back_ = false;
  std::optional<sqlite_handles::Connection> reading_;  // looks at the epoch while another has the turn to write
  PlannedRecords held_;                                // accepted, and not in the file yet
  std::vector<Target> appended_;                       // where the last records went
  std::int64_t id_ = 0;
  std::int64_t epoch_ = 0;
  std::vector<Target> touched_;  // partitions marked as open by this transaction
};

// Each call is one durable transaction.
class LocalProducer final : public ports::Producer {
 public:
  LocalProducer(std::shared_ptr<Store> store, ports::Deliveries& deliveries)
      : store_(std::move(store)), deliveries_(deliveries), planner_(*store_) {}

  Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token) override;

 private:
  [[nodiscard]] Result<std::int64_t> append_all(std::span<const ports::RecordView> records);

  std::shared_ptr<Store> store_;
  ports::Deliveries& deliveries_;
  std::mutex mutex_;  // of the planner
  Planner planner_;
};

}  // namespace write_aside::local_stream
