#include "job/ingest.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <utility>

#include "interruption.hpp"

namespace write_aside::cli {
namespace {

constexpr std::size_t batch_max = 10'000;

Result<void> complete(JobOptions& options, const Settings& settings) {
  if (options.source.empty()) options.source = settings.source;
  if (options.source.empty() && options.input == "-") {
    return failure(
        usage_error("standard input has no name to keep its progress under; give it one with --source NAME (the same "
                    "for every rerun)"));
  }
  if (options.source.empty()) options.source = absolute_path(options.input);
  if (!options.rejects.empty() && options.on_error == OnError::stop) {
    return failure(usage_error("--rejects goes with --on-error skip"));
  }
  return {};
}

}  // namespace

void add_job_options(CLI::App& command, JobOptions& options) {
  static const std::map<std::string, Guarantee> guarantees{{"exactly_once", Guarantee::exactly_once},
                                                           {"transactional", Guarantee::transactional},
                                                           {"at_least_once", Guarantee::at_least_once}};
  static const std::map<std::string, Wait> waits{{"decided", Wait::decided}, {"visible", Wait::visible}};
  static const std::map<std::string, OnError> policies{{"stop", OnError::stop}, {"skip", OnError::skip}};

  command.add_option("FILE", options.input, "Input; - or nothing: standard input")->type_name("");
  command
      .add_option("--source", options.source,
                  "Name of the progress, and ce_source (default: the absolute path of FILE)")
      ->type_name("NAME");
  command.add_option("--batch", options.batch, "Units per database transaction (default 1)")
      ->check(CLI::Range(std::size_t{1}, batch_max))
      ->option_text("N");
  command
      .add_option("--workers", options.workers,
                  "Units that are under way at once (default 1); with several, units keep the order of their "
                  "ordering key only")
      ->check(CLI::Range(std::uint32_t{1}, workers_max))
      ->option_text("N");
  command.add_option("--guarantee", options.guarantee, "exactly_once (default), transactional or at_least_once")
      ->transform(CLI::CheckedTransformer(guarantees))
      ->option_text("LEVEL");
  command.add_option("--wait", options.wait, "Go on when a unit is decided (default), or visible in the stream")
      ->transform(CLI::CheckedTransformer(waits))
      ->option_text("decided|visible");
  command.add_option("--on-error", options.on_error, "At a refused unit: stop (default), or skip it and go on")
      ->transform(CLI::CheckedTransformer(policies))
      ->option_text("stop|skip");
  command.add_option("--rejects", options.rejects, "With --on-error skip: add refused units to FILE, as JSON lines")
      ->type_name("FILE");
  command
      .add_option_function<double>(
          "--retry-for",
          [&options](double seconds) {
            options.retry_for = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
          },
          "Retry a unit this long when a store is busy (default 30)")
      ->check(CLI::Range(0.0, 86'400.0))
      ->option_text("SECONDS");
  command.add_option("--line-bytes-max", options.line_bytes_max, "Longest record (default 16 MiB)")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(std::size_t{16}, std::size_t{1} << 30))
      ->option_text("BYTES");
  command.add_flag("--json", options.json, "Report as a JSON object, the last line on stdout");
  command.add_flag("--quiet,-q", options.quiet, "Neither progress nor report; errors only");
}

Result<ExitStatus> ingest(const Settings& settings, JobOptions options, InputFormat format) {
  if (auto completed = complete(options, settings); !completed) return failure(completed);
  auto input = InputFile::open(options.input);
  if (!input) return failure(input);
  const std::string name = input->name();
  if (input->size() == 0u) return failure(usage_error(fmt::format("{}: empty input, nothing to do", name)));

  auto stores = open_stores(settings);
  if (!stores) return failure(stores);
  auto progress = Progress::read(*stores->database, options.source);
  if (!progress) return failure(progress);

  RecordReader reader(*std::move(input), std::move(format.splitter), options.line_bytes_max);
  auto translator = format.make_translator(reader);
  if (!translator) return failure(translator);
  if (progress->is_stored()) {
    if (auto skipped = reader.skip_to(progress->start().mark); !skipped) return failure(skipped);
  }
  if (interruption::requested()) return interruption::exit_status();
  const bool fresh = !progress->is_stored();
  Job job(options, *std::move(stores), settings, *std::move(progress));
  auto status = job.run(std::move(reader), *std::move(translator));
  if (status && *status == ExitStatus::committed && fresh && job.units() == 0) {
    return failure(usage_error(fmt::format("{}: empty input, nothing to do", name)));
  }
  return status;
}

}  // namespace write_aside::cli
