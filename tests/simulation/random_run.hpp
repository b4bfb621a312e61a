// One random run: several processes on one pair of in-memory stores, each with several units at a time, killed, paused,
// cut off, slowed down and refused at random port calls, while the stores themselves run full, restart, and see their
// clocks jump. Everything is drawn from the seed; the same seed plays the same run, trace and all.
//
// The oracle looks at every commit of a stream transaction as it happens (no event before its unit is decided), at
// every report, and, when faults have stopped and one process more has settled everything, at both stores: lost, torn,
// orphan and duplicate events, reports that were not true, the order on each lane, and whether everything came to rest.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "simulation/wrapped_pair.hpp"

namespace write_aside::simulation {

// What is counted in runs.
enum class Count {
  steps,  // port calls
  units,
  committed,  // as first reported; in a process that died there is no report
  aborted,
  in_doubt,
  takeovers,
  lanes_lost,
  batches_settled,
  batches_broken,
  adopted,  // late units, by a sweep
  crash_before,
  crash_after,
  error,
  reply_lost,
  delay,
  late_reply,
  lands_late,  // of the crashes and lost replies: the request took effect later
  full_disk,   // calls refused
  cut_off,     // calls to a store that cannot be reached
  pauses,
  database_restarts,
  clock_jumps,
  size
};
[[nodiscard]] std::string_view to_string(Count count);

struct Counts {
  std::array<std::uint64_t, static_cast<std::size_t>(Count::size)> values{};

  std::uint64_t& operator[](Count count) { return values[static_cast<std::size_t>(count)]; }
  std::uint64_t operator[](Count count) const { return values[static_cast<std::size_t>(count)]; }
  void add(const Counts& other);
};

struct RunOptionsOfTest {
  std::function<void(const std::string& line)> trace = {};
  // For tests of the oracle: what stands between the processes and the stores.
  WrappedPair::Wrap<ports::Database> wrap_database = {};
  WrappedPair::Wrap<ports::EventStream> wrap_stream = {};
  Guarantee guarantee = Guarantee::exactly_once;
};

struct RunReport {
  std::string wrong = {};  // empty: all is well
  Counts counts = {};
  std::uint64_t fingerprint = 0;  // of the order in which everything ran, and when
};

[[nodiscard]] RunReport play_random_run(std::uint64_t seed, const RunOptionsOfTest& options = {});

}  // namespace write_aside::simulation
