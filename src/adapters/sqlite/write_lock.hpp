// The turn to write, within one process. SQLite lets one transaction write at a time; writers of one process queue
// here in the order of arrival, with a deadline, instead of polling the file's lock.
//
// Safe from many threads. A turn may be taken in one thread and ended in another.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

namespace write_aside::sqlite {

class WriteLock {
 public:
  // Holds the turn until destroyed. Must not outlive the lock.
  class Turn {
   public:
    explicit Turn(WriteLock& lock) : lock_(&lock) {}
    Turn(Turn&& other) noexcept : lock_(other.lock_) { other.lock_ = nullptr; }
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (lock_ != nullptr) lock_->release();
    }

   private:
    WriteLock* lock_;
  };

  // None: the deadline passed, or the turn is taken and `may_wait` is false.
  [[nodiscard]] std::optional<Turn> take(std::chrono::steady_clock::time_point deadline, bool may_wait);
  [[nodiscard]] std::size_t waiting();

 private:
  struct Waiter {
    std::condition_variable granted_changed;
    bool granted = false;
  };
  void release();

  std::mutex mutex_;
  bool taken_ = false;
  std::deque<Waiter*> waiters_;  // one per waiting thread, so its length is bounded by their number
};

}  // namespace write_aside::sqlite
