#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "bench/report.hpp"
#include "bench/watcher.hpp"
#include "command.hpp"
#include "interruption.hpp"
#include "json_output.hpp"

namespace write_aside::cli {
namespace {

using namespace std::chrono_literals;
using namespace bench;

// How long what was committed may take to become visible before it counts as not seen: an outbox may be far behind.
constexpr auto visible_patience = 30s;

std::vector<double> figures(const Window& window, double (*figure)(const Timing&)) {
  std::vector<double> values;
  values.reserve(window.commits());
  for (const auto& timings : window.committed) {
    for (const Timing& timing : timings) values.push_back(figure(timing));
  }
  return values;
}

double milliseconds(std::chrono::steady_clock::duration span) {
  return std::chrono::duration<double, std::milli>(span).count();
}

Sample sample_of(const Window& window) {
  Sample sample;
  sample.begun_at = std::chrono::duration<double>(window.begun.time_since_epoch()).count();
  sample.seconds = window.seconds;
  sample.commits = window.commits();
  sample.aborted = window.aborted;
  sample.in_doubt = window.in_doubt;
  if (window.error) sample.error = window.error->message;
  sample.unit_ms = percentiles(figures(window, [](const Timing& t) { return milliseconds(t.returned - t.begun); }));
  sample.commit_ms = percentiles(figures(window, [](const Timing& t) { return milliseconds(t.returned - t.commit); }));
  if (sample.commits == 0) return sample;
  const auto commits = static_cast<double>(sample.commits);
  sample.commits_per_second = commits / window.seconds;
  sample.processor_seconds_per_1000 = window.processor_seconds / commits * 1'000;
  return sample;
}

class Bench {
 public:
  Bench(const Settings& settings, const Options& options, Stores stores)
      : settings_(settings), options_(options), stores_(std::move(stores)) {}

  Result<ExitStatus> run() {
    auto environment = examine(settings_, stores_);
    if (!environment) return failure(environment);
    if (!environment->unsafe.empty() && !options_.allow_unsafe) {
      return failure(usage_error(
          fmt::format("{}: {} may lose what was committed, so its figures compare with nothing; set it right, or add "
                      "--allow-unsafe to have them with a label",
                      environment->database, environment->unsafe)));
    }
    if (auto measured = measure_all(); !measured) return failure(measured);
    if (!print_out(options_.json ? to_json(*environment, options_, samples_)
                                 : to_table(*environment, options_, samples_))) {
      return ExitStatus::rejected;
    }
    if (interruption::requested()) return interruption::exit_status();
    // A variant that cannot keep up at all is a result, and told in the report; the others still count.
    const bool all_committed =
        std::all_of(samples_.begin(), samples_.end(), [](const Sample& sample) { return sample.commits > 0; });
    return all_committed ? ExitStatus::committed : ExitStatus::rejected;
  }

 private:
  Result<void> measure_all() {
    const auto dialect = dialect_of(settings_.database);
    if (!dialect) return failure(dialect);
    auto workload = Workload::make(stores_, *dialect);
    if (!workload) return failure(workload);
    for (std::uint32_t round = 1; round <= options_.rounds; ++round) {
      for (const std::uint32_t threads : options_.threads) {
        for (const Variant variant : options_.variants) {
          if (interruption::requested()) return (*workload)->remove();
          auto sample = measure(**workload, variant, threads);
          if (!sample) return failure(sample);
          sample->round = round;
          samples_.push_back(*std::move(sample));
          show_progress(samples_.back());
        }
      }
    }
    return (*workload)->remove();
  }

  // Rate, latency and processor time come from a window without a reader beside it, visibility from one with.
  Result<Sample> measure(const Workload& workload, Variant variant, std::uint32_t threads) {
    auto contender = Contender::open(variant, options_, stores_, settings_, workload);
    if (!contender) return failure(contender);
    (void)run_window(**contender, window_settings(threads, options_.warm_up));
    const Window window = run_window(**contender, window_settings(threads, options_.seconds));
    Sample sample = sample_of(window);
    sample.variant = variant;
    sample.threads = threads;
    if (sample.commits > 0 && (*contender)->publishes() && !interruption::requested()) {
      if (auto watched = watch(**contender, sample); !watched) return failure(watched);
    }
    if (const auto error = (*contender)->error()) return failure(*error);
    return sample;
  }

  Result<void> watch(Contender& contender, Sample& sample) {
    contender.settle(std::chrono::steady_clock::now() + visible_patience);
    const WindowSettings settings = window_settings(sample.threads, options_.seconds);
    auto watcher = Watcher::start(stores_, settings.event_prefix);
    if (!watcher) return failure(watcher);
    const Window window = run_window(contender, settings);
    const auto visibility = (*watcher)->match(window, visible_patience);
    if (!visibility) return failure(visibility);
    sample.visible_ms = percentiles(visibility->after_ms);
    sample.unseen = visibility->unseen;
    sample.delivered_per_second = visibility->delivered_per_second;
    return {};
  }

  WindowSettings window_settings(std::uint32_t threads, std::chrono::duration<double> seconds) {
    // Ids of one window are not those of another, nor of another run's.
    const std::string prefix = fmt::format("{:x}.{}", ports::system_runtime().random(), ++window_count_);
    return {threads, seconds, options_.rate, prefix};
  }

  void show_progress(const Sample& sample) const {
    if (isatty(STDERR_FILENO) == 1) fmt::print(stderr, "{}\n", to_progress(sample, options_));
  }

  const Settings& settings_;
  const Options& options_;
  const Stores stores_;
  std::vector<Sample> samples_;
  std::uint64_t window_count_ = 0;
};

Result<ExitStatus> run_bench(const Settings& settings, const Options& options) {
  auto stores = open_stores(settings);
  if (!stores) return failure(stores);
  // Every variant needs what `init` makes, so that a missing ledger is told before anything is measured.
  if (const auto schema = stores->database->schema(); !schema) return failure(schema);
  return Bench(settings, options, *std::move(stores)).run();
}

Choices<Variant> variants_by_name() {
  Choices<Variant> variants;
  for (const Variant variant : Options{}.variants) variants.emplace_back(name_of(variant), variant);
  return variants;
}

void add_load_options(Command command, Options& options) {
  command.number("--threads", options.threads, {1, 1'000}, "N,N,…", "How many units at a time (default 1,8,32,64)")
      .separated_by(',');
  command
      .choices("--variant", options.variants, variants_by_name(), "NAME,NAME,…",
               "rows_only, at_least_once, exactly_once, naive, outbox; default all")
      .separated_by(',');
  command.seconds("--seconds", options.seconds, {0.1, 3'600}, "S", "Of each measured window (default 5)");
  command.seconds("--warm-up", options.warm_up, {0, 3'600}, "S", "Before each measured one (default 1)");
  command.number("--rounds", options.rounds, {1, 1'000}, "N", "Everything so many times, in turn (default 3)");
  command.number("--rate", options.rate, {0.1, 1e6}, "R",
                 "Units begun per second, all threads together, for latency at a low load (default: as many as can)");
}

}  // namespace

void add_bench(Command program, Invocation& invocation) {
  Command command = program.command("bench", "Measure this database and this stream, beside other ways to publish");
  auto options = std::make_shared<Options>();
  add_load_options(command, *options);
  command.number("--lanes", options->lanes, {1, 64}, "N", "Lanes of exactly_once (default: the library's)");
  command.seconds("--outbox-pause", options->outbox_pause, {0.001, 60}, "S",
                  "Of the outbox's relay, when it found nothing (default 0.01)");
  command.flag("--allow-unsafe", options->allow_unsafe, "Measure although the database may lose commits");
  command.flag("--json", options->json, "One JSON object on stdout, with every round's figures");
  command.footer(R"(
A unit of work is UPDATE + INSERT + one event of 200 bytes. The variants:
  rows_only      nothing is published
  at_least_once  published, acknowledged, then COMMIT; a failing COMMIT leaves an orphan event
  exactly_once   what this program is for
  naive          a stream transaction for each unit; a crash between the two commits loses events
  outbox         events are rows; a relay reads, publishes and deletes them; a crash repeats events

It needs what `init` makes. It makes tables write_aside_bench_… and removes them, and a topic
write-aside-bench, which stays. Durability settings that may lose commits are refused.

Example:
  write-aside bench --threads 1,32 --seconds 10 --rounds 3
  write-aside bench --threads 8 --rate 200 --variant at_least_once,exactly_once
)");
  command.when_chosen([&invocation, options] {
    invocation.run = [&invocation, options] { return run_bench(invocation.settings, *options); };
  });
}

}  // namespace write_aside::cli
