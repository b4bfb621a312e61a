// What a job did, in numbers and words.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace write_aside::cli {

struct Tally {
  std::uint64_t committed = 0;
  std::uint64_t aborted = 0;  // rejected, or given up
  std::uint64_t in_doubt = 0;
  std::uint64_t skipped = 0;  // committed by an earlier run
  std::uint64_t events = 0;
  std::chrono::duration<double> took{0};

  [[nodiscard]] std::uint64_t units() const { return committed + aborted + in_doubt + skipped; }
  [[nodiscard]] double units_per_second() const;
};

[[nodiscard]] std::string to_json(const Tally& tally);
// "5 units committed with 5 events in 0.02 s (250 units/s), 2 rejected"
[[nodiscard]] std::string to_sentence(const Tally& tally);
// 1234567 as "1,234,567"
[[nodiscard]] std::string grouped(std::uint64_t number);

}  // namespace write_aside::cli
