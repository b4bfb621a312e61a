// Applies an input to the stores, unit after unit: the engine of `apply` and `load`.
//
// Batches of units share a database transaction. Whatever goes wrong, the stored progress says after which record to go on.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exit_status.hpp"
#include "job/backoff.hpp"
#include "job/feed.hpp"
#include "job/progress_display.hpp"
#include "job/rejects_file.hpp"
#include "job/report.hpp"
#include "job/unit_runner.hpp"
#include "settings.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::cli {

enum class OnError { stop, skip };

struct JobOptions {
  std::string input = "-";  // path, or - for standard input
  std::string source;       // name of the input, under which its progress is stored
  std::size_t batch = 1;    // units per database transaction
  OnError on_error = OnError::stop;
  std::string rejects;
  std::size_t line_bytes_max = 16 << 20;
  Guarantee guarantee = Guarantee::exactly_once;
  Wait wait = Wait::decided;
  std::chrono::milliseconds retry_for{30'000};
  bool json = false;
  bool quiet = false;
};

class Job {
 public:
  // `reader` stands behind what the position says.
  Job(const JobOptions& options, Stores stores, const Settings& settings, std::optional<std::string> stored,
      Position position);

  // Fails if the job cannot begin; afterwards every trouble is told on standard error and in the status.
  [[nodiscard]] Result<ExitStatus> run(RecordReader reader, std::unique_ptr<Translator> translator);

  [[nodiscard]] const Tally& tally() const { return tally_; }

 private:
  [[nodiscard]] Result<void> open();
  // Section 6 of the protocol: nothing of this input is published while a lane it used before is not settled.
  [[nodiscard]] Result<void> settle_lanes();
  void consume(Feed& feed);
  // The next batch; empty at the end.
  [[nodiscard]] std::vector<PlannedUnit*> collect(Feed& feed);
  void process(std::vector<PlannedUnit*> units);
  // How `units` are to be run next, after an attempt that did not commit them; none of them: it is over.
  void react(std::vector<PlannedUnit*>& units, const Attempt& attempt, Backoff& backoff, bool& isolate);
  // One of the units is refused by the stores.
  void react_to_refusal(std::vector<PlannedUnit*>& units, const Attempt& attempt, bool& isolate);
  // Runs each unit in a transaction of its own.
  void one_by_one(std::vector<PlannedUnit*>& units);
  // Asks until the doubt is over, or long enough.
  [[nodiscard]] Attempt::Kind settle_doubt(const PlannedUnit& unit, const Attempt& attempt);
  [[nodiscard]] Result<void> note_refusal(const PlannedUnit& unit);
  // The input ends before this unit, which stays in the input.
  void stop_at(const PlannedUnit& unit);
  void give_up(const PlannedUnit& unit, const Error& error);
  void stop(ExitStatus status);
  void account(const std::vector<PlannedUnit*>& units, const Attempt& attempt, Position position);
  [[nodiscard]] Position position_after(const std::vector<PlannedUnit*>& units) const;
  void finish(Feed& feed);
  // "write-aside: FILE:LINE:COLUMN: message"
  void complain(const PlannedUnit& unit, std::size_t at, const std::string& message);
  void complain(const std::string& message);
  [[nodiscard]] ExitStatus final_status() const;

  JobOptions options_;
  Stores stores_;
  CoordinatorOptions coordinator_options_;
  std::string input_name_;
  std::optional<std::string> stored_;  // the progress as it stands in the database
  Position position_;
  std::unique_ptr<Coordinator> coordinator_;
  std::optional<UnitRunner> runner_;
  RejectsFile rejects_;
  std::optional<ProgressDisplay> display_;
  Tally tally_;
  std::uint64_t refusals_told_ = 0;
  PlannedUnit* last_ = nullptr;  // refused, behind the units in hand: OnError::stop ends the input here
  bool stopped_ = false;
  ExitStatus status_ = ExitStatus::committed;
};

}  // namespace write_aside::cli
