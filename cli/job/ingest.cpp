#include "job/ingest.hpp"

#include <fmt/format.h>

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

void add_job_options(Command command, JobOptions& options) {
  command.text("FILE", options.input, "", "Input; - or nothing: standard input");
  command.text("--source", options.source, "NAME",
               "Name of the progress, and ce_source (default: the absolute path of FILE)");
  command.number("--batch", options.batch, {1, batch_max}, "N", "Units per database transaction (default 1)");
  command.number("--workers", options.workers, {1, workers_max}, "N",
                 "Units that are under way at once (default 1); with several, units keep the order of their "
                 "ordering key only");
  command.choice("--guarantee", options.guarantee,
                 {{"exactly_once", Guarantee::exactly_once},
                  {"transactional", Guarantee::transactional},
                  {"at_least_once", Guarantee::at_least_once}},
                 "LEVEL", "exactly_once (default), transactional or at_least_once");
  command.choice("--wait", options.wait, {{"decided", Wait::decided}, {"visible", Wait::visible}}, "decided|visible",
                 "Go on when a unit is decided (default), or visible in the stream");
  command.choice("--on-error", options.on_error, {{"stop", OnError::stop}, {"skip", OnError::skip}}, "stop|skip",
                 "At a refused unit: stop (default), or skip it and go on");
  command.text("--rejects", options.rejects, "FILE", "With --on-error skip: add refused units to FILE, as JSON lines");
  command.seconds("--retry-for", options.retry_for, {0, 86'400}, "SECONDS",
                  "Retry a unit this long when a store is busy (default 30)");
  command.bytes("--line-bytes-max", options.line_bytes_max, {16, 1 << 30}, "BYTES", "Longest record (default 16 MiB)");
  command.flag("--json", options.json, "Report as a JSON object, the last line on stdout");
  command.flag("--quiet,-q", options.quiet, "Neither progress nor report; errors only");
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
