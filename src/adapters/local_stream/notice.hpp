// Tells waiting readers of this process that something was written. Readers of other processes look at the file.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace write_aside::local_stream {

class Notice {
 public:
  [[nodiscard]] std::uint64_t count() const { return count_.load(); }

  void give() {
    count_.fetch_add(1);
    if (waiting_.load() == 0) return;  // the usual case costs no lock
    const std::lock_guard lock(mutex_);
    given_.notify_all();
  }

  // Until a notice after number `seen`, or the deadline. True if there was one.
  bool wait(std::uint64_t seen, std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    waiting_.fetch_add(1);
    const bool given = given_.wait_until(lock, deadline, [&] { return count_.load() != seen; });
    waiting_.fetch_sub(1);
    return given;
  }

 private:
  std::atomic<std::uint64_t> count_ = 0;
  std::atomic<int> waiting_ = 0;
  std::mutex mutex_;
  std::condition_variable given_;
};

}  // namespace write_aside::local_stream
