// Tells on standard error how far a job is: a bar on a terminal, a line every few seconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "job/report.hpp"

namespace write_aside::cli {

class ProgressDisplay {
 public:
  // `input_bytes`: none for a pipe. `offset`: where this run began.
  ProgressDisplay(bool quiet, std::optional<std::uint64_t> input_bytes, std::uint64_t offset);
  ~ProgressDisplay() { clear(); }
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  // Cheap when it is not yet time to show anything.
  void update(const Tally& tally, std::uint64_t offset);
  // Takes the bar away, before something else is written to the terminal.
  void clear();

 private:
  [[nodiscard]] std::string line(const Tally& tally, std::uint64_t offset, double seconds) const;

  bool quiet_;
  bool terminal_;
  std::optional<std::uint64_t> input_bytes_;
  std::uint64_t first_offset_;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point next_;
  bool shown_ = false;
};

}  // namespace write_aside::cli
