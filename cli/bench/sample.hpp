// What one window said, and what several say together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/options.hpp"

namespace write_aside::cli::bench {

struct Percentiles {
  double p50 = 0;
  double p99 = 0;
};

struct Sample {
  Variant variant = Variant::rows_only;
  std::uint32_t threads = 0;
  std::uint32_t round = 0;
  double begun_at = 0;  // seconds since 1970, for whoever watches the servers meanwhile
  double seconds = 0;
  std::uint64_t commits = 0;
  std::uint64_t aborted = 0;
  std::uint64_t in_doubt = 0;
  std::string error;  // of the first that did not commit

  double commits_per_second = 0;
  Percentiles unit_ms;                         // from begin to the outcome
  Percentiles commit_ms;                       // of commit() alone
  double processor_seconds_per_1000 = 0;       // of this process
  std::optional<Percentiles> visible_ms = {};  // from the outcome until a read_committed reader has the event
  std::uint64_t unseen = 0;
  std::optional<double> delivered_per_second = {};
};

// Nearest rank. Of nothing: zeros.
[[nodiscard]] Percentiles percentiles(std::vector<double> values);
// The middle one; of two middle ones the lower, so that it is one that was measured. Of nothing: 0.
[[nodiscard]] double median(std::vector<double> values);
// The rounds of one point, each figure its own median; counts are sums.
[[nodiscard]] Sample median_of(const std::vector<Sample>& rounds);

}  // namespace write_aside::cli::bench
