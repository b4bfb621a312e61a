// Runs a campaign's input on THREADS threads and writes the outcome of each unit into LOG; see reporting.hpp.
//
//   report_outcomes DATABASE STREAM INPUT SOURCE THREADS LOG
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "programs/reporting.hpp"
#include "stores.hpp"

namespace {

using namespace write_aside;

int run(const std::vector<std::string>& words) {
  const auto database = cli::open_database(words[0], cli::Missing::refuse);
  if (!database) return programs::fail(database.error());
  const auto stream = cli::open_stream(words[1], cli::Missing::refuse);
  if (!stream) return programs::fail(stream.error());
  const CoordinatorOptions options{.source = words[3], .strict_order = true};
  return programs::run_input(*database, *stream, options, {words[2], std::stoul(words[4]), words[5]});
}

}  // namespace

int main(int count, char** words) {
  if (count != 7) {
    fmt::print(stderr, "usage: report_outcomes DATABASE STREAM INPUT SOURCE THREADS LOG\n");
    return 2;
  }
  try {
    return run({words + 1, words + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "report_outcomes: {}\n", error.what());
    return 1;
  }
}
