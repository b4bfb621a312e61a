// The stored progress of a source: read, begun anew with several workers, taken over after an interruption, merged again.
//
// One thread at a time. Whatever fails, the stored progress is either the old one or the new one, never a mixture.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "job/cursor.hpp"
#include "job/worker_position.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::cli {

class Progress {
 public:
  // Nothing stored, a position, or a plan with the positions of its workers. Refuses what is none of these.
  [[nodiscard]] static Result<Progress> read(ports::Database& database, const std::string& source);

  [[nodiscard]] const std::string& source() const { return source_; }
  [[nodiscard]] bool is_stored() const { return text_.has_value(); }
  // The number of workers that an interrupted run had; none: there was no such run with several.
  [[nodiscard]] std::optional<std::uint32_t> planned_workers() const;
  // Where the input is to be read from. With a plan: where its workers began.
  [[nodiscard]] const Position& start() const { return start_; }
  // Of each worker of the plan; else empty.
  [[nodiscard]] const std::vector<WorkerPosition>& workers() const { return workers_; }
  // The most that ever worked on a part of it at once.
  [[nodiscard]] std::uint32_t workers_so_far() const { return std::max(start_.workers, planned_workers().value_or(1)); }
  // Units that are done, the rejected ones included; those rejected; the line behind the furthest one.
  [[nodiscard]] std::uint64_t units() const;
  [[nodiscard]] std::uint64_t rejected() const;
  [[nodiscard]] std::uint64_t furthest_line() const;

  // Makes this run the only one that goes on with the plan, or begins a plan with so many workers at `begin`. In one
  // transaction, so that a run which is killed here has begun with all its workers or with none.
  [[nodiscard]] Result<void> take_plan(Coordinator& coordinator, ports::Database& database, std::uint32_t workers,
                                       const Mark& begin, std::chrono::milliseconds retry_for);
  // One for each worker, or the only one of an input without a plan.
  [[nodiscard]] std::vector<Cursor> cursors() const;
  // Every unit of the input is done: the plan gives way to one position, from which any number of workers may go on.
  [[nodiscard]] Result<void> merge(Coordinator& coordinator, ports::Database& database, const Position& whole,
                                   std::chrono::milliseconds retry_for);

 private:
  struct Change {
    std::string source;
    std::optional<std::string> expected;
    std::string text;
  };
  explicit Progress(std::string source) : source_(std::move(source)) {}

  [[nodiscard]] Result<void> read_workers(ports::Database& database, const Plan& plan);
  [[nodiscard]] Result<std::optional<std::string>> read_worker(ports::Database& database, std::uint32_t worker) const;
  // All of them, or none: the progress is no longer the expected one, or the database fails.
  [[nodiscard]] Result<void> write(Coordinator& coordinator, ports::Database& database,
                                   const std::vector<Change>& changes, std::chrono::milliseconds retry_for) const;
  [[nodiscard]] static Outcome write_once(Coordinator& coordinator, const std::vector<Change>& changes);

  std::string source_;
  std::optional<std::string> text_;  // of the row of the source
  Position start_;
  std::uint64_t run_ = 0;
  std::vector<WorkerPosition> workers_;
  std::vector<std::string> worker_texts_;
};

// Another run of the source was faster.
[[nodiscard]] Error moved_error(const std::string& source);

}  // namespace write_aside::cli
