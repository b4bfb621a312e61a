// Turns at the stream file: one writer of this process at a time, in the order in which they came.
//
// SQLite lets one connection write at a time and makes the others poll. Within a process that would be slow and
// unfair, so all producers of an opened stream share one writing connection and take turns here.
#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>

namespace write_aside::local_stream {

class Turn {
 public:
  // False if the turn did not come before `deadline`; a deadline that is over means: now or never.
  [[nodiscard]] bool take(std::chrono::steady_clock::time_point deadline);
  void give_back();

 private:
  struct Waiter {
    std::condition_variable called;
    bool has_turn = false;
  };

  std::mutex mutex_;
  bool taken_ = false;
  std::list<Waiter> queue_;
};

}  // namespace write_aside::local_stream
