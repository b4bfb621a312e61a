// What the seed of a random run asks for: how much happens, with which settings, and which faults are planned.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "support/deterministic_runtime.hpp"
#include "support/faulty_ports.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::simulation {

// How much happens in a run, and with which settings.
struct Shape {
  int processes = 3;
  int incarnations = 2;
  int threads = 2;
  int units_of_a_thread = 3;
  std::uint32_t lanes = 2;
  std::uint64_t faults_max = 3;  // planned for one incarnation
  std::chrono::milliseconds marker_delay{0};
  std::chrono::milliseconds reader_lag{0};
  bool holds_back = false;    // the stream, until the end of a transaction
  bool is_slow = false;       // every call, from begin to end
  bool ends_at_once = false;  // the last process comes when requests are still under way
  CoordinatorOptions options = {};
};

[[nodiscard]] Shape shape_of(std::uint64_t seed);

// One of them, each as likely as the others.
template <class Value, std::size_t size>
Value one_of(support::Randomness& random, const Value (&values)[size]) {
  return values[random.below(size)];
}

// At random calls of the process, and most of them where most can go wrong.
void plan_faults(support::FaultyProcess& process, const Shape& shape, support::Randomness& random);

}  // namespace write_aside::simulation
