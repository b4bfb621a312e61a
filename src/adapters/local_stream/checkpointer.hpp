// Copies the WAL of the stream file into the file, on a thread of its own, so that nobody who ends a transaction waits
// for the two syncs. The thread starts with the first request; the destructor waits for the round under way.
//
// Safe from many threads. A checkpoint that fails takes nothing away: the WAL keeps what was not copied.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "adapters/local_stream/turn.hpp"
#include "adapters/sqlite_handles/connection.hpp"
#include "write_aside/result.hpp"

namespace write_aside::local_stream {

class Checkpointer {
 public:
  using Open = std::function<Result<sqlite_handles::Connection>()>;

  // `turn` is that of the writers, and outlives this. `patience`: how long to wait for it.
  Checkpointer(Turn& turn, std::chrono::milliseconds patience, Open open)
      : turn_(turn), patience_(patience), open_(std::move(open)) {}
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // Soon, and once for all requests until then.
  void request();
  // Here and now, after the round under way. Without the turn in hand.
  void run();

 private:
  void work();

  Turn& turn_;
  const std::chrono::milliseconds patience_;
  const Open open_;
  std::mutex running_;  // guards the connection
  std::optional<sqlite_handles::Connection> connection_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool requested_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace write_aside::local_stream
