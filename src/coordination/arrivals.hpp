// How fast units come: the mean distance between them over the last moments. Pure arithmetic on times.
//
// A sum that fades: each unit adds one, and a time constant later what was there counts e times less. So a burst does not
// look like a standstill when it is over, and a pause of a few time constants is one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>

namespace write_aside::coordination {

class Arrivals {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  // Several group commits long, and short beside what a consumer notices.
  static constexpr std::chrono::milliseconds time_constant{50};

  void note(TimePoint now) {
    const auto passed = std::chrono::duration<double>(now - last_) / std::chrono::duration<double>(time_constant);
    weight_ = weight_ * std::exp(-std::max(passed, 0.0)) + 1;
    last_ = now;
  }
  // As of the last unit noted.
  [[nodiscard]] std::chrono::nanoseconds gap() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(time_constant) /
                                                                std::max(weight_, 1.0));
  }

 private:
  TimePoint last_{};
  double weight_ = 0;
};

}  // namespace write_aside::coordination
