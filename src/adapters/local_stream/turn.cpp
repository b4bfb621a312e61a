#include "adapters/local_stream/turn.hpp"

namespace write_aside::local_stream {

bool Turn::take(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  if (!taken_) {
    taken_ = true;
    return true;
  }
  if (deadline <= std::chrono::steady_clock::now()) return false;
  const auto place = queue_.emplace(queue_.end());
  place->called.wait_until(lock, deadline, [&] { return place->has_turn; });
  const bool has_turn = place->has_turn;
  queue_.erase(place);
  return has_turn;
}

void Turn::give_back() {
  const std::lock_guard lock(mutex_);
  for (Waiter& waiter : queue_) {
    if (waiter.has_turn) continue;
    waiter.has_turn = true;  // handed over, never free in between: nobody overtakes
    waiter.called.notify_one();
    return;
  }
  taken_ = false;
}

}  // namespace write_aside::local_stream
