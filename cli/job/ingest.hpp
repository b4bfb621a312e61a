// What `apply` and `load` share on the command line, and the way from there to a Job.
#pragma once

#include <functional>
#include <memory>

#include "command_line.hpp"
#include "job/job.hpp"

namespace write_aside::cli {

void add_job_options(Command command, JobOptions& options);

struct InputFormat {
  std::unique_ptr<RecordSplitter> splitter;
  // May take a header from the reader.
  std::function<Result<std::unique_ptr<Translator>>(RecordReader&)> make_translator;
};

[[nodiscard]] Result<ExitStatus> ingest(const Settings& settings, JobOptions options, InputFormat format);

}  // namespace write_aside::cli
