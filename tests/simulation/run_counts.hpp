// What is counted in random runs.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace write_aside::simulation {

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

}  // namespace write_aside::simulation
