// What is to be measured, as the command line says it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace write_aside::cli::bench {

// Ways to do the same unit of work: a changed row, a new row, and (but for rows_only) one event about them.
enum class Variant {
  rows_only,      // nothing is published: the yardstick
  at_least_once,  // published, acknowledged, then COMMIT
  exactly_once,
  naive,   // a stream transaction for each unit (guarantee `transactional`)
  outbox,  // the event is a row; a relay polls for rows, publishes and deletes them
};

[[nodiscard]] constexpr std::string_view name_of(Variant variant) {
  switch (variant) {
    case Variant::rows_only:
      return "rows_only";
    case Variant::at_least_once:
      return "at_least_once";
    case Variant::exactly_once:
      return "exactly_once";
    case Variant::naive:
      return "naive";
    case Variant::outbox:
      return "outbox";
  }
  return "";
}

struct Options {
  std::vector<Variant> variants{Variant::rows_only, Variant::at_least_once, Variant::exactly_once, Variant::naive,
                                Variant::outbox};
  std::vector<std::uint32_t> threads{1, 8, 32, 64};
  std::chrono::duration<double> seconds{5};  // of each measured window
  std::chrono::duration<double> warm_up{1};  // before it
  std::uint32_t rounds = 3;                  // everything once a round, so that a drift of the machine hits all alike
  std::optional<double> rate;                // units begun per second, all threads together; none: as many as they can
  std::optional<std::uint32_t> lanes;        // of exactly_once; none: the library's default
  std::chrono::milliseconds outbox_pause{10};  // of the relay, when it found nothing
  bool allow_unsafe = false;
  bool json = false;
};

}  // namespace write_aside::cli::bench
