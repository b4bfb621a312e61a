// Plays many random runs of the coordination on simulated stores, or one of them with its trace, or every choice of a
// few faults. docs/testing.md says more.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "simulation/exploration.hpp"
#include "simulation/parallel.hpp"
#include "simulation/random_run.hpp"

namespace write_aside::simulation {
namespace {

constexpr std::string_view usage =
    "usage: simulate [--seeds N] [--first S] [--jobs J]  N random runs, with the seeds from S on\n"
    "       simulate --seed S                            one of them, with its trace\n"
    "       simulate --explore [--jobs J]                every choice of two faults, for one to three units\n";

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t seeds = 200'000;
  std::optional<std::uint64_t> seed;
  bool explore = false;
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
};

std::optional<std::uint64_t> number(const char* text) {
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0') return std::nullopt;
  return value;
}

std::optional<Arguments> parse(const std::vector<std::string>& words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--explore") {
      arguments.explore = true;
      continue;
    }
    const auto value = i + 1 < words.size() ? number(words[i + 1].c_str()) : std::nullopt;
    if (!value) return std::nullopt;
    if (words[i] == "--seeds") {
      arguments.seeds = *value;
    } else if (words[i] == "--first") {
      arguments.first = *value;
    } else if (words[i] == "--seed") {
      arguments.seed = value;
    } else if (words[i] == "--jobs" && *value > 0 && *value <= 256) {
      arguments.jobs = static_cast<unsigned>(*value);
    } else {
      return std::nullopt;
    }
    ++i;
  }
  return arguments;
}

void print_counts(const Counts& counts) {
  std::string line;
  for (std::size_t i = 0; i < counts.values.size(); ++i) {
    const std::string item = std::to_string(counts.values[i]) + ' ' + std::string(to_string(static_cast<Count>(i)));
    if (!line.empty() && line.size() + item.size() > 100) {
      std::printf("  %s\n", line.c_str());
      line.clear();
    }
    line += (line.empty() ? "" : ", ") + item;
  }
  std::printf("  %s\n", line.c_str());
}

unsigned long long printable(std::uint64_t value) { return value; }

int play_one(std::uint64_t seed) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const RunReport report = play_random_run(seed, {.trace = [&hash](const std::string& line) {
                                             for (const char c : line + '\n') {
                                               hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
                                             }
                                             std::printf("%s\n", line.c_str());
                                           }});
  print_counts(report.counts);
  std::printf("seed %llu: %s; trace %016llx, fingerprint %016llx\n", printable(seed),
              report.wrong.empty() ? "all is well" : "VIOLATION", printable(hash), printable(report.fingerprint));
  return report.wrong.empty() ? 0 : 1;
}

int play_seeds(const Arguments& arguments) {
  const ManyRuns many = play_many(arguments.first, arguments.seeds, arguments.jobs, "seeds",
                                  [](std::uint64_t seed) { return play_random_run(seed); });
  print_counts(many.counts);
  if (!many.wrong.empty()) {
    std::printf("VIOLATION with seed %llu: %s\nplay it again: make simulate SEED=%llu\n", printable(many.wrong_number),
                many.wrong.c_str(), printable(many.wrong_number));
  }
  std::printf("%llu seeds from %llu on, %.1f s, %.0f seeds/s, fingerprint %016llx: %s\n", printable(many.runs),
              printable(arguments.first), many.seconds, static_cast<double>(many.runs) / many.seconds,
              printable(many.fingerprint), many.wrong.empty() ? "all is well" : "VIOLATION");
  return many.wrong.empty() ? 0 : 1;
}

// Each first choice, with every second one, is a run of its own for play_many.
int explore_all(const Arguments& arguments) {
  int failures = 0;
  for (int units = 1; units <= 3; ++units) {
    const std::vector<Choice> firsts = next_choices(play_choices(units, {}), {});
    const std::string name = "first faults, " + std::to_string(units) + " units";
    const ManyRuns many = play_many(0, firsts.size(), arguments.jobs, name, [&](std::uint64_t first) {
      Exploration exploration;
      explore(units, {firsts[first]}, 1, exploration);
      RunReport report{.wrong = exploration.wrong};
      report.counts[Count::units] = exploration.runs * static_cast<std::uint64_t>(units + 1);
      report.counts[Count::steps] = exploration.runs;
      return report;
    });
    std::printf(
        "%d unit%s of one process and one of the next: %zu single faults, %llu runs with every pair, %.1f s: %s\n",
        units, units == 1 ? "" : "s", firsts.size(), printable(many.counts[Count::steps]), many.seconds,
        many.wrong.empty() ? "all is well" : ("VIOLATION " + many.wrong).c_str());
    if (!many.wrong.empty()) ++failures;
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace write_aside::simulation

int main(int count, char** words) {
  using namespace write_aside::simulation;
  const auto arguments = parse({words + 1, words + count});
  if (!arguments) {
    std::fputs(usage.data(), stderr);
    return 2;
  }
  if (arguments->seed) return play_one(*arguments->seed);
  return arguments->explore ? explore_all(*arguments) : play_seeds(*arguments);
}
