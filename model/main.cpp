// Checks the protocol of docs/protocol.md: the faithful model holds in every state within the bounds, and without any
// one of its rules it does not.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "invariants.hpp"
#include "mutants.hpp"
#include "search.hpp"

namespace write_aside::model {

namespace {

constexpr std::uint64_t states_max = 150'000'000;  // bounds the memory: about 6 GB

struct Job {
  std::string name;
  Settings settings;
  bool check_that_runs_end = false;
};

struct Result {
  Search search;
  double seconds = 0;  // of the processor
};

// Of this thread alone, so that a busy machine does not show.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

Result run(const Job& job) {
  const double begun = processor_seconds();
  Result result;
  result.search = search(job.settings, states_max, job.check_that_runs_end);
  result.seconds = processor_seconds() - begun;
  return result;
}

// Runs `jobs` on several threads and gives each result to `report`, in the order of the jobs.
template <class Report>
void run_all(const std::vector<Job>& jobs, unsigned thread_count, const Report& report) {
  std::vector<std::promise<Result>> promises(jobs.size());
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < thread_count; ++i) {
    threads.emplace_back([&] {
      for (std::size_t job = next++; job < jobs.size(); job = next++) promises[job].set_value(run(jobs[job]));
    });
  }
  for (std::size_t job = 0; job < jobs.size(); ++job) report(job, promises[job].get_future().get());
}

Job faithful(Bounds bounds, Order order, bool check_that_runs_end) {
  const std::string name = std::to_string(bounds.processes) + " processes, " + std::to_string(bounds.units) +
                           (bounds.units == 1 ? " unit, " : " units, ") + std::to_string(bounds.faults) + " faults" +
                           (order == Order::over_owners ? ", strict_order" : "");
  return {name, {bounds, order}, check_that_runs_end};
}

std::vector<Job> usual() {
  return {faithful({3, 3, 2}, Order::over_owners, true), faithful({3, 3, 2}, Order::within_epoch, true),
          faithful({2, 2, 4}, Order::over_owners, true), faithful({3, 2, 3}, Order::over_owners, true),
          faithful({2, 1, 6}, Order::over_owners, true), faithful({3, 1, 4}, Order::over_owners, true)};
}

std::vector<Job> far() {
  return {faithful({3, 1, 5}, Order::over_owners, false), faithful({2, 1, 8}, Order::over_owners, false),
          faithful({2, 3, 3}, Order::over_owners, false), faithful({2, 2, 5}, Order::over_owners, false)};
}

void print_trace(const Search& found) {
  for (std::size_t i = 0; i < found.trace.size(); ++i) std::printf("    %3zu  %s\n", i + 1, found.trace[i].c_str());
}

bool report_faithful(const Job& job, const Result& result) {
  const Search& found = result.search;
  std::string verdict = "holds";
  if (found.violation != Violation::none) {
    verdict = std::string("VIOLATED: ") + name(found.violation);
  } else if (!found.complete) {
    verdict = "NOT EXHAUSTED: too many states for this machine; choose smaller bounds";
  } else if (job.check_that_runs_end) {
    verdict = found.always_ends ? "holds; every run ends" : "VIOLATED: a run may go round for ever";
  }
  std::printf("%-46s %11llu states %11llu moves  depth %2d %6.1f s  %s\n", job.name.c_str(),
              static_cast<unsigned long long>(found.states), static_cast<unsigned long long>(found.moves), found.depth,
              result.seconds, verdict.c_str());
  print_trace(found);
  std::fflush(stdout);
  return verdict.starts_with("holds");
}

bool check_faithful(const std::vector<Job>& jobs, unsigned thread_count) {
  bool good = true;
  std::printf("The protocol\n");
  run_all(jobs, thread_count, [&](std::size_t i, const Result& result) { good &= report_faithful(jobs[i], result); });
  return good;
}

std::vector<Job> jobs_of(const std::vector<Mutant>& list) {
  std::vector<Job> jobs;
  for (const Mutant& mutant : list) jobs.push_back({mutant.name, settings_of(mutant)});
  return jobs;
}

bool check_mutants(unsigned thread_count, bool with_traces) {
  bool good = true;
  std::printf("\nWithout one rule: refuted by, length of the shortest counterexample, states searched\n");
  run_all(jobs_of(mutants()), thread_count, [&](std::size_t i, const Result& result) {
    const Mutant& mutant = mutants()[i];
    const Search& found = result.search;
    const bool refuted = found.violation == mutant.broken;
    std::printf("%-30s %-17s %3d %7llu  %s%s\n", mutant.name.c_str(), name(found.violation), found.depth,
                static_cast<unsigned long long>(found.states), mutant.does.c_str(),
                refuted ? "" : (std::string("  EXPECTED: ") + name(mutant.broken)).c_str());
    if (with_traces || !refuted) print_trace(found);
    good &= refuted;
  });
  return good;
}

bool check_spare_rules(unsigned thread_count) {
  bool good = true;
  std::printf("\nWithout one rule that nothing depends on within these bounds\n");
  run_all(jobs_of(spare_rules()), thread_count, [&](std::size_t i, const Result& result) {
    const Mutant& mutant = spare_rules()[i];
    const Search& found = result.search;
    const bool holds = found.complete && found.violation == Violation::none;
    std::printf("%-30s %-17s     %7llu  %s\n", mutant.name.c_str(), holds ? "holds" : name(found.violation),
                static_cast<unsigned long long>(found.states), mutant.does.c_str());
    print_trace(found);
    good &= holds;
  });
  return good;
}

int show(std::string_view wanted) {
  for (const Mutant& mutant : mutants()) {
    if (mutant.name != wanted) continue;
    const Search found = search(settings_of(mutant), states_max, false);
    std::printf("Without %s: %s.\n", mutant.name.c_str(), mutant.does.c_str());
    print_trace(found);
    std::printf("         %s\n", name(found.violation));
    return 0;
  }
  std::fprintf(stderr, "model: there is no mutant '%.*s'; `model` lists them\n", static_cast<int>(wanted.size()),
               wanted.data());
  return 2;
}

int usage() {
  std::fprintf(stderr,
               "usage: model             the protocol, and every mutant; two searches at a time\n"
               "       model --traces    the same, with every counterexample\n"
               "       model --long      the protocol within larger bounds, one search at a time\n"
               "       model --mutant NAME\n"
               "       model PROCESSES UNITS FAULTS\n");
  return 2;
}

}  // namespace

int run_program(const std::vector<std::string>& arguments) {
  constexpr unsigned thread_count = 2;  // each search may need a gigabyte
  const std::string first = arguments.empty() ? "" : arguments[0];
  if (arguments.empty() || (arguments.size() == 1 && first == "--traces")) {
    bool good = check_faithful(usual(), thread_count);
    good &= check_mutants(thread_count, first == "--traces");
    good &= check_spare_rules(thread_count);
    std::printf("\n%s\n",
                good ? "The protocol holds, and needs every rule of the first list." : "NOT as it should be.");
    return good ? 0 : 1;
  }
  if (arguments.size() == 1 && first == "--long") return check_faithful(far(), 1) ? 0 : 1;
  if (arguments.size() == 2 && first == "--mutant") return show(arguments[1]);
  if (arguments.size() != 3) return usage();
  const Bounds bounds{std::atoi(first.c_str()), std::atoi(arguments[1].c_str()), std::atoi(arguments[2].c_str())};
  if (bounds.processes < 1 || bounds.processes > processes_max) return usage();
  if (bounds.units < 1 || bounds.units > units_max || bounds.faults < 0 || bounds.faults > 20) return usage();
  return check_faithful({faithful(bounds, Order::over_owners, false)}, 1) ? 0 : 1;
}

}  // namespace write_aside::model

int main(int count, char** words) { return write_aside::model::run_program({words + 1, words + count}); }
