// One window of measuring: some threads run units of work for some time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/contender.hpp"

namespace write_aside::cli::bench {

struct WindowSettings {
  std::uint32_t threads = 1;
  std::chrono::duration<double> seconds{1};
  std::optional<double> rate;  // units per second, all threads together; none: as many as they can
  std::string event_prefix;    // ids are PREFIX-WORKER-COUNT
};

struct Window {
  std::chrono::system_clock::time_point begun;
  std::chrono::steady_clock::time_point steady_begun;
  double seconds = 0;            // until the last unit returned
  double processor_seconds = 0;  // of this process, all its threads
  std::uint64_t aborted = 0;
  std::uint64_t in_doubt = 0;
  std::optional<Error> error;                   // the first of those
  std::vector<std::vector<Timing>> committed;   // by worker; the position is the count in the event's id if none failed
  std::vector<std::vector<std::uint64_t>> ids;  // by worker: the count in the event's id of each of `committed`

  [[nodiscard]] std::uint64_t commits() const;
};

// Ends early when a signal asks the program to stop.
[[nodiscard]] Window run_window(Contender& contender, const WindowSettings& settings);

[[nodiscard]] std::string event_id(const std::string& prefix, const UnitName& name);
// None: not an id of this prefix.
[[nodiscard]] std::optional<UnitName> parse_event_id(std::string_view id, std::string_view prefix);

}  // namespace write_aside::cli::bench
