// How long the consumer waits for stores that fail, and its stop signal.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

#include "write_aside/ports/runtime.hpp"
#include "write_aside/result.hpp"

namespace write_aside::consumer {

// The trouble passes by itself, or when somebody mends the store; the events have nothing to do with it.
[[nodiscard]] bool is_store_trouble(const Error& error);

class Patience {
 public:
  Patience(ports::Runtime& runtime, std::chrono::milliseconds span);

  void stop();
  [[nodiscard]] bool stopped() const { return stopped_; }

  // Waits before another try, longer each time. The error itself when it is no store's trouble, or when the span since
  // the first of a row of failures is over.
  [[nodiscard]] Result<void> endure(const Error& error);
  void relax() { failing_since_.reset(); }
  // Returns early when stopped.
  void pause(std::chrono::milliseconds span);

 private:
  ports::Runtime& runtime_;
  const std::chrono::milliseconds span_;
  std::unique_ptr<ports::Mutex> mutex_;
  std::unique_ptr<ports::Condition> changed_;
  std::atomic<bool> stopped_ = false;
  std::optional<std::chrono::steady_clock::time_point> failing_since_;
  std::chrono::milliseconds next_pause_{0};
};

}  // namespace write_aside::consumer
