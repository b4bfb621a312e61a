// Waits between attempts: short ones first, capped, jittered, and over when the time is.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

#include "interruption.hpp"

namespace write_aside::cli {

class Backoff {
 public:
  explicit Backoff(std::chrono::milliseconds limit) : end_(std::chrono::steady_clock::now() + limit) {}

  // False, at once, when the time is over or a signal asks the program to stop.
  [[nodiscard]] bool wait() {
    if (interruption::requested() || std::chrono::steady_clock::now() >= end_) return false;
    std::uniform_real_distribution<double> jitter(0.5, 1.0);
    interruption::wait_for(std::chrono::milliseconds(static_cast<int>(pause_ms_ * jitter(random_)) + 1));
    pause_ms_ = std::min(pause_ms_ * 2, 1'000.0);
    return !interruption::requested();
  }

 private:
  std::chrono::steady_clock::time_point end_;
  std::minstd_rand random_{std::random_device{}()};
  double pause_ms_ = 5;
};

}  // namespace write_aside::cli
