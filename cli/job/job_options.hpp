// What the command line of `apply` and `load` says about how an input is to be applied.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "write_aside/coordinator.hpp"

namespace write_aside::cli {

enum class OnError { stop, skip };

struct JobOptions {
  std::string input = "-";    // path, or - for standard input
  std::string source;         // name of the input, under which its progress is stored
  std::size_t batch = 1;      // units per database transaction
  std::uint32_t workers = 1;  // that work at once
  OnError on_error = OnError::stop;
  std::string rejects;
  std::size_t line_bytes_max = 16 << 20;
  Guarantee guarantee = Guarantee::exactly_once;
  Wait wait = Wait::decided;
  std::chrono::milliseconds retry_for{30'000};
  bool json = false;
  bool quiet = false;
};

}  // namespace write_aside::cli
