// Watches the bench's topic as a consumer does, read_committed, and notes when each event was seen.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bench/window.hpp"
#include "settings.hpp"

namespace write_aside::cli::bench {

struct Sighting {
  UnitName unit;
  std::chrono::steady_clock::time_point at;
};

struct Visibility {
  std::vector<double> after_ms;  // of each event: from the return of its commit; 0 if it was seen before that
  std::uint64_t unseen = 0;      // not there within the limit; counted in `after_ms` with the wait so far
  double delivered_per_second = 0;
};

class Watcher {
 public:
  // Events with other ids are passed over. Starts one thread, which ends with the watcher; returns when it has polled once.
  [[nodiscard]] static Result<std::unique_ptr<Watcher>> start(const Stores& stores, std::string event_prefix);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Waits, bounded by `limit`, until all events of the window were seen.
  [[nodiscard]] Result<Visibility> match(const Window& window, std::chrono::seconds limit);

 private:
  Watcher(std::unique_ptr<ports::Reader> reader, std::string event_prefix);
  void run();
  void note(const std::vector<ports::StoredRecord>& records);

  const std::unique_ptr<ports::Reader> reader_;
  const std::string event_prefix_;
  std::atomic<std::uint64_t> seen_count_{0};
  std::atomic<bool> stopping_{false};
  std::mutex lock_;
  std::vector<Sighting> sightings_;
  std::optional<Error> error_;
  std::thread thread_;
};

// Pure: what the sightings say of the window's events. Where an event was seen twice the first time counts.
[[nodiscard]] Visibility match_sightings(const Window& window, const std::vector<Sighting>& sightings,
                                         std::chrono::steady_clock::time_point now);

}  // namespace write_aside::cli::bench
