// The relay of a hand-written outbox: polls the table, publishes what it finds, waits for the acknowledgements, deletes.
//
// It is the usual one, made as fast as the pattern allows: hundreds of rows a round, no pause while there are more. Like
// every relay of its kind it publishes again what it had published before a crash, and follows the order of the rows'
// numbers, not of their commits.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "bench/options.hpp"
#include "settings.hpp"

namespace write_aside::cli::bench {

class OutboxRelay final : private ports::Deliveries {
 public:
  // Starts one thread, which ends with the relay.
  [[nodiscard]] static Result<std::unique_ptr<OutboxRelay>> start(const Stores& stores,
                                                                  std::chrono::milliseconds pause);
  ~OutboxRelay() override;
  OutboxRelay(const OutboxRelay&) = delete;
  OutboxRelay& operator=(const OutboxRelay&) = delete;

  // Waits until a round that began after this call has found nothing, or until `deadline`.
  void await_empty(std::chrono::steady_clock::time_point deadline);
  // What ended it before its time.
  [[nodiscard]] std::optional<Error> error();

 private:
  OutboxRelay(Stores stores, std::chrono::milliseconds pause);
  void run();
  // How many rows it moved.
  [[nodiscard]] Result<std::size_t> relay_some();
  [[nodiscard]] Result<void> publish(const Rows& rows);
  void delivered(std::uint64_t token, Result<std::int64_t> first_offset) override;

  const Stores stores_;
  const std::chrono::milliseconds pause_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::optional<Result<std::int64_t>> delivery_;  // of the round's events
  std::uint64_t token_ = 0;
  std::uint64_t begun_count_ = 0;  // rounds
  std::uint64_t empty_round_ = 0;  // the last that found nothing
  std::optional<Error> error_;
  bool stopping_ = false;
  std::unique_ptr<ports::Producer> producer_;  // gone before what it reports to
  std::thread thread_;
};

}  // namespace write_aside::cli::bench
