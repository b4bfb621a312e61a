#include "simulation/run_counts.hpp"

#include <iterator>

namespace write_aside::simulation {

std::string_view to_string(Count count) {
  static constexpr std::string_view words[] = {"port calls",
                                               "units",
                                               "committed",
                                               "aborted",
                                               "in doubt",
                                               "lanes taken",
                                               "lanes lost",
                                               "batches settled",
                                               "batches broken",
                                               "late units adopted",
                                               "crashes before a call",
                                               "crashes after a call",
                                               "errors",
                                               "replies lost",
                                               "calls delayed",
                                               "replies delayed",
                                               "requests landing late",
                                               "calls refused by a full disk",
                                               "calls cut off",
                                               "pauses",
                                               "database restarts",
                                               "clock jumps"};
  static_assert(std::size(words) == static_cast<std::size_t>(Count::size));
  return words[static_cast<std::size_t>(count)];
}

void Counts::add(const Counts& other) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += other.values[i];
}

}  // namespace write_aside::simulation
