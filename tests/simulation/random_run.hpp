// One random run: several processes on one pair of in-memory stores, each with several units at a time, killed, paused,
// cut off, slowed down and refused at random port calls, while the stores themselves run full, restart, and see their
// clocks jump. Everything is drawn from the seed; the same seed plays the same run, trace and all.
//
// The oracle looks at every commit of a stream transaction as it happens (no event before its unit is decided), at
// every report, and, when faults have stopped and one process more has settled everything, at both stores: lost, torn,
// orphan and duplicate events, reports that were not true, the order on each lane, and whether everything came to rest.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "simulation/run_counts.hpp"
#include "simulation/wrapped_pair.hpp"

namespace write_aside::simulation {

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
