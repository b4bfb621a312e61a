// One worker of a job: applies its units one after the other, or batch after batch, in the order of the input.
//
// Each transaction stores the worker's place. Whatever goes wrong, that place says after which unit to go on. All its units
// take one lane, so their events keep their order; when the lane is lost, another one is chosen once that one is settled.
//
// One thread; several workers share feed, status and coordinator.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "job/backoff.hpp"
#include "job/cursor.hpp"
#include "job/feed.hpp"
#include "job/job_options.hpp"
#include "job/job_status.hpp"
#include "job/lane_settler.hpp"
#include "job/unit_runner.hpp"

namespace write_aside::cli {

// What the workers of a job share; it outlives them.
struct Workplace {
  const JobOptions& options;
  Coordinator& coordinator;
  LaneSettler& settler;
  Feed& feed;
  JobStatus& status;
};

class Worker {
 public:
  Worker(Workplace workplace, std::uint32_t number, Cursor cursor);

  // Until the input ends, the job stops, or a signal comes.
  void run();

  [[nodiscard]] const Cursor& cursor() const { return cursor_; }

 private:
  // The next batch; empty at the end.
  [[nodiscard]] std::vector<PlannedUnit*> collect();
  void process(std::vector<PlannedUnit*> units);
  // The lane that the next unit takes, with everything settled that it must not overtake. None is held just now: no lane_.
  [[nodiscard]] Result<void> choose_lane();
  // How `units` are to be run next, after an attempt that did not commit them; none of them: it is over.
  void react(std::vector<PlannedUnit*>& units, const Attempt& attempt, Backoff& backoff, bool& isolate);
  // One of the units is refused by the stores.
  void react_to_refusal(std::vector<PlannedUnit*>& units, const Attempt& attempt, bool& isolate);
  // Runs each unit in a transaction of its own.
  void one_by_one(std::vector<PlannedUnit*>& units);
  // Asks until the doubt is over, or long enough.
  [[nodiscard]] Attempt::Kind settle_doubt(const std::vector<PlannedUnit*>& units, const Attempt& attempt);
  void account(const std::vector<PlannedUnit*>& units, const Attempt& attempt, Cursor::Place place);

  Workplace workplace_;
  const std::uint32_t number_;
  Cursor cursor_;
  UnitRunner runner_;
  std::optional<LaneNumber> lane_;
  PlannedUnit* last_ = nullptr;  // refused, behind the units in hand: OnError::stop ends the input here
};

}  // namespace write_aside::cli
