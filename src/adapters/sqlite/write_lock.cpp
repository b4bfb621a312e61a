#include "adapters/sqlite/write_lock.hpp"

#include <algorithm>

namespace write_aside::sqlite {

std::optional<WriteLock::Turn> WriteLock::take(std::chrono::steady_clock::time_point deadline, bool may_wait) {
  std::unique_lock lock(mutex_);
  if (!taken_) {
    taken_ = true;
    return Turn(*this);
  }
  if (!may_wait) return std::nullopt;
  Waiter waiter;
  waiters_.push_back(&waiter);
  if (waiter.granted_changed.wait_until(lock, deadline, [&] { return waiter.granted; })) return Turn(*this);
  waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &waiter));
  return std::nullopt;
}

std::size_t WriteLock::waiting() {
  const std::lock_guard lock(mutex_);
  return waiters_.size();
}

void WriteLock::release() {
  const std::lock_guard lock(mutex_);
  if (waiters_.empty()) {
    taken_ = false;
    return;
  }
  // The turn goes over without being free in between: a newcomer cannot overtake those who wait.
  Waiter* next = waiters_.front();
  waiters_.pop_front();
  next->granted = true;
  next->granted_changed.notify_one();
}

}  // namespace write_aside::sqlite
