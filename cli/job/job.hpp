// Applies an input to the stores: the engine of `apply` and `load`. One worker does it in the order of the input; several
// keep the order of each ordering key, and leave one position behind when the input is done.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "exit_status.hpp"
#include "job/job_options.hpp"
#include "job/job_status.hpp"
#include "job/lane_settler.hpp"
#include "job/progress.hpp"
#include "job/worker.hpp"
#include "settings.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::cli {

class Job {
 public:
  Job(const JobOptions& options, Stores stores, const Settings& settings, Progress progress);

  // `reader` stands behind what the progress has as its start. Fails if the job cannot begin; afterwards every trouble is
  // told on standard error and in the status.
  [[nodiscard]] Result<ExitStatus> run(RecordReader reader, std::unique_ptr<Translator> translator);

  // How many units the input had, those of earlier runs included.
  [[nodiscard]] std::uint64_t units() const { return units_; }

 private:
  [[nodiscard]] bool has_plan() const { return workers_ > 1; }
  [[nodiscard]] Result<void> open(const Mark& begin);
  // Waits a moment for the lanes that are there to be had: workers that all begin on one would stay there.
  void await_lanes() const;
  [[nodiscard]] std::vector<Cursor> work(Feed& feed);
  // Every unit of the input is done: its progress is a plain position again.
  void merge(const std::vector<Cursor>& cursors, const std::optional<Feed::End>& end);
  void finish();

  JobOptions options_;
  Stores stores_;
  CoordinatorOptions coordinator_options_;
  LaneSettler settler_;
  Progress progress_;
  std::uint32_t workers_;
  std::string input_name_;
  std::unique_ptr<Coordinator> coordinator_;
  std::optional<JobStatus> status_;
  std::uint64_t units_ = 0;
};

}  // namespace write_aside::cli
