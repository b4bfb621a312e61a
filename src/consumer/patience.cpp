#include "consumer/patience.hpp"

#include <algorithm>
#include <mutex>

namespace write_aside::consumer {
namespace {

constexpr std::chrono::milliseconds shortest_pause{5};
constexpr std::chrono::milliseconds longest_pause{500};

}  // namespace

bool is_store_trouble(const Error& error) {
  switch (error.code) {
    case ErrorCode::busy:
    case ErrorCode::timeout:
    case ErrorCode::unreachable:
    case ErrorCode::storage_full:
    case ErrorCode::io:
    case ErrorCode::lane_unavailable:
    case ErrorCode::fenced:
    case ErrorCode::conflict:
      return true;
    default:
      return error.retriable && (error.side == Side::database || error.side == Side::stream);
  }
}

Patience::Patience(ports::Runtime& runtime, std::chrono::milliseconds span)
    : runtime_(runtime), span_(span), mutex_(runtime.mutex()), changed_(runtime.condition()) {}

void Patience::stop() {
  const std::unique_lock lock(*mutex_);
  stopped_ = true;
  changed_->notify_all();
}

Result<void> Patience::endure(const Error& error) {
  if (!is_store_trouble(error)) return failure(error);
  const auto now = runtime_.now();
  if (!failing_since_) {
    failing_since_ = now;
    next_pause_ = shortest_pause;
  }
  if (now - *failing_since_ >= span_) return failure(error);
  // Jittered: several members fail at the same moment, and should not come back at the same moment.
  const auto jitter = std::chrono::milliseconds(runtime_.random() % static_cast<std::uint64_t>(next_pause_.count()));
  pause(next_pause_ + jitter);
  next_pause_ = std::min(2 * next_pause_, longest_pause);
  return {};
}

void Patience::pause(std::chrono::milliseconds span) {
  std::unique_lock lock(*mutex_);
  const auto until = runtime_.now() + span;
  while (!stopped_ && runtime_.now() < until) changed_->wait_until(lock, until);
}

}  // namespace write_aside::consumer
