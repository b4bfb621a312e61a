#include "job/report.hpp"

#include <fmt/format.h>

namespace write_aside::cli {

double Tally::units_per_second() const {
  return took.count() > 0 ? static_cast<double>(committed) / took.count() : 0.0;
}

std::string to_json(const Tally& tally) {
  return fmt::format(
      R"({{"units":{},"committed":{},"aborted":{},"in_doubt":{},"skipped":{},"events":{},"seconds":{:.3f},"units_per_second":{:.1f}}})",
      tally.units(), tally.committed, tally.aborted, tally.in_doubt, tally.skipped, tally.events, tally.took.count(),
      tally.units_per_second());
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

std::string to_sentence(const Tally& tally) {
  std::string text = fmt::format("{} {} committed with {} {} in {:.2f} s", grouped(tally.committed),
                                 tally.committed == 1 ? "unit" : "units", grouped(tally.events),
                                 tally.events == 1 ? "event" : "events", tally.took.count());
  if (tally.committed > 0)
    text += fmt::format(" ({} units/s)", grouped(static_cast<std::uint64_t>(tally.units_per_second())));
  if (tally.skipped > 0) text += fmt::format(", {} skipped (committed by an earlier run)", grouped(tally.skipped));
  if (tally.aborted > 0) text += fmt::format(", {} rejected", grouped(tally.aborted));
  if (tally.in_doubt > 0) text += fmt::format(", {} in doubt", grouped(tally.in_doubt));
  return text;
}

}  // namespace write_aside::cli
