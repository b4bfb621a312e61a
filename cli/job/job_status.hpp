// What the workers of a job have in common: what was done, whether to stop and why, and what the user is told meanwhile.
//
// Safe from many threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "exit_status.hpp"
#include "job/planned_unit.hpp"
#include "job/progress_display.hpp"
#include "job/rejects_file.hpp"
#include "job/report.hpp"

namespace write_aside::cli {

class JobStatus {
 public:
  // `skipped`: units that an earlier run committed. `offset`: where this run begins, in an input of so many bytes.
  JobStatus(std::string input_name, RejectsFile rejects, std::uint64_t skipped, bool quiet,
            std::optional<std::uint64_t> input_bytes, std::uint64_t offset);

  // True once a worker met what ends the job: the others end the unit in hand and stop, too.
  [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_relaxed); }
  // Stopped, or a signal asks for it.
  [[nodiscard]] bool is_to_end() const;
  void stop(ExitStatus status);

  // --on-error skip: told, counted once it is passed over, and kept in the rejects file before that.
  [[nodiscard]] Result<void> note_refusal(const PlannedUnit& unit);
  // The job ends before this unit, which stays in the input: it is refused, or cannot be run now. Of several workers the
  // first one is told; what the others met, the next run will meet again.
  void stop_at(const PlannedUnit& unit);
  void give_up(const PlannedUnit& unit, const Error& error);
  void moved(const PlannedUnit& unit, const Error& error);
  // The outcome of so many units from this one on stays open.
  void in_doubt(const PlannedUnit& unit, std::uint64_t units, const std::string& message);
  // They are committed, `rejected` of them passed over, up to this offset.
  void account(std::uint64_t units, std::uint64_t rejected, std::uint64_t events, std::uint64_t offset);

  // "write-aside: FILE:LINE:COLUMN: message"
  void complain(const PlannedUnit& unit, std::size_t at, const std::string& message);
  void complain(const std::string& message);
  // Cheap when it is not yet time to show anything.
  void show();
  void hide();

  [[nodiscard]] Tally tally() const;
  [[nodiscard]] ExitStatus exit_status() const;

 private:
  using Lock = std::lock_guard<std::mutex>;
  // With the mutex held. True if nobody stopped the job before.
  bool stop_locked(ExitStatus status);
  void complain_locked(const PlannedUnit& unit, std::size_t at, const std::string& message);
  void complain_locked(const std::string& message);

  const std::string input_name_;
  std::atomic<bool> stopped_ = false;

  mutable std::mutex mutex_;  // guards what follows
  RejectsFile rejects_;
  ProgressDisplay display_;
  Tally tally_;
  std::uint64_t offset_;
  std::uint64_t refusals_told_ = 0;
  ExitStatus status_ = ExitStatus::committed;
};

}  // namespace write_aside::cli
