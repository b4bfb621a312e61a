// The bench's result, for people and as JSON.
#pragma once

#include <string>
#include <vector>

#include "bench/environment.hpp"
#include "bench/options.hpp"
#include "bench/sample.hpp"

namespace write_aside::cli::bench {

// One point's rounds lie behind one another in `samples`, or apart: they are found by variant and threads.
[[nodiscard]] std::vector<Sample> medians(const std::vector<Sample>& samples);

// What was measured, on what; then a line for each point, medians, with its rate beside that of rows_only.
[[nodiscard]] std::string to_table(const Environment& environment, const Options& options,
                                   const std::vector<Sample>& samples);
// One object: the environment, every sample, and the medians.
[[nodiscard]] std::string to_json(const Environment& environment, const Options& options,
                                  const std::vector<Sample>& samples);
// For the terminal, while the bench runs.
[[nodiscard]] std::string to_progress(const Sample& sample, const Options& options);

}  // namespace write_aside::cli::bench
