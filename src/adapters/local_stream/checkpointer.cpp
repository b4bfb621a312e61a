#include "adapters/local_stream/checkpointer.hpp"

#include <sqlite3.h>

namespace write_aside::local_stream {

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Checkpointer::request() {
  const std::lock_guard lock(mutex_);
  requested_ = true;
  changed_.notify_all();
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
}

void Checkpointer::work() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || requested_; });
      if (stopping_) return;
      requested_ = false;
    }
    run();
  }
}

void Checkpointer::run() {
  const std::lock_guard alone(running_);
  if (!connection_) {
    auto opened = open_();
    if (!opened) return;  // the next request tries again
    connection_.emplace(std::move(*opened));
  }
  const auto copy = [this] {
    sqlite3_wal_checkpoint_v2(connection_->raw(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  };
  // First while others write, which is the long part; then with them kept out, so that all of the WAL is copied
  // and it starts over.
  copy();
  if (!turn_.take(std::chrono::steady_clock::now() + patience_)) return;
  copy();
  turn_.give_back();
}

}  // namespace write_aside::local_stream
