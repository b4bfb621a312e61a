#include "job/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

#include "exit_status.hpp"
#include "job/backoff.hpp"

namespace write_aside::cli {
namespace {

Error foreign_text(const std::string& source) {
  return usage_error(fmt::format(
      "the progress of source '{}' was not written by this program or by a newer one; use another --source", source));
}

std::uint64_t random_number() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

Error moved_error(const std::string& source) {
  return {ErrorCode::conflict,
          Side::caller,
          Effect::no,
          false,
          fmt::format("another run of source '{}' moved its progress, nothing was applied twice; let it finish, or "
                      "give this input a name of its own with --source",
                      source),
          {}};
}

Result<Progress> Progress::read(ports::Database& database, const std::string& source) {
  Progress progress(source);
  auto text = database.progress(source);
  if (!text) return failure(text);
  progress.text_ = *std::move(text);
  if (!progress.text_) return progress;
  if (auto position = parse_position(*progress.text_)) {
    progress.start_ = *std::move(position);
    return progress;
  }
  const auto plan = parse_plan(*progress.text_);
  if (!plan) return failure(foreign_text(source));
  progress.start_ = plan->start;
  progress.run_ = plan->run;
  if (auto read = progress.read_workers(database, *plan); !read) return failure(read);
  return progress;
}

Result<void> Progress::read_workers(ports::Database& database, const Plan& plan) {
  for (std::uint32_t worker = 0; worker < plan.workers; ++worker) {
    auto text = read_worker(database, worker);
    if (!text) return failure(text);
    const auto position = *text ? parse_worker_position(**text) : std::nullopt;
    // Another run has taken the plan over since we read it, or even ended it.
    if (!position || position->run != plan.run) return failure(moved_error(source_));
    workers_.push_back(*position);
    worker_texts_.push_back(**std::move(text));
  }
  return {};
}

// Refuses the progress of somebody else whose source has that name.
Result<std::optional<std::string>> Progress::read_worker(ports::Database& database, std::uint32_t worker) const {
  const std::string name = worker_source(source_, worker);
  auto text = database.progress(name);
  if (!text || !*text) return text;
  const auto position = parse_worker_position(**text);
  if (position && position->worker == worker) return text;
  return failure(usage_error(fmt::format(
      "worker {} of source '{}' would keep its progress under the name '{}', which another source has; use another "
      "--source",
      worker, source_, name)));
}

std::optional<std::uint32_t> Progress::planned_workers() const {
  return workers_.empty() ? std::nullopt : std::optional(static_cast<std::uint32_t>(workers_.size()));
}

std::uint64_t Progress::units() const {
  return std::accumulate(workers_.begin(), workers_.end(), start_.units,
                         [](std::uint64_t sum, const WorkerPosition& worker) { return sum + worker.own; });
}

std::uint64_t Progress::rejected() const {
  return std::accumulate(workers_.begin(), workers_.end(), start_.rejected,
                         [](std::uint64_t sum, const WorkerPosition& worker) { return sum + worker.rejected; });
}

std::uint64_t Progress::furthest_line() const {
  return std::accumulate(workers_.begin(), workers_.end(), start_.mark.line,
                         [](std::uint64_t line, const WorkerPosition& worker) { return std::max(line, worker.line); });
}

Result<void> Progress::take_plan(Coordinator& coordinator, ports::Database& database, std::uint32_t workers,
                                 const Mark& begin, std::chrono::milliseconds retry_for) {
  std::vector<Change> changes;
  Progress next(source_);
  next.run_ = random_number();
  next.start_ = start_;
  next.workers_ = workers_;
  if (workers_.empty()) {
    next.start_.mark = begin;
    next.start_.lanes.clear();  // they are settled
    WorkerPosition first;
    first.units = start_.units;
    first.line = begin.line;
    next.workers_.assign(workers, first);
  }
  next.text_ = to_text(Plan{static_cast<std::uint32_t>(next.workers_.size()), next.run_, next.start_});
  changes.push_back({source_, text_, *next.text_});
  for (std::uint32_t worker = 0; worker < next.workers_.size(); ++worker) {
    WorkerPosition& position = next.workers_[worker];
    position.worker = worker;
    position.run = next.run_;
    next.worker_texts_.push_back(to_text(position));
    // An earlier plan may have left a row.
    using Stored = Result<std::optional<std::string>>;
    Stored expected = workers_.empty() ? read_worker(database, worker) : Stored(worker_texts_[worker]);
    if (!expected) return failure(expected);
    changes.push_back({worker_source(source_, worker), *std::move(expected), next.worker_texts_.back()});
  }
  if (auto written = write(coordinator, database, changes, retry_for); !written) return written;
  *this = std::move(next);
  return {};
}

std::vector<Cursor> Progress::cursors() const {
  std::vector<Cursor> cursors;
  if (workers_.empty()) cursors.emplace_back(source_, text_, start_);
  for (std::uint32_t worker = 0; worker < workers_.size(); ++worker) {
    cursors.emplace_back(worker_source(source_, worker), worker_texts_[worker], workers_[worker]);
  }
  return cursors;
}

// Nobody moves a worker's row without the plan that is taken away here, so the plan's row is all that must be the old one.
Result<void> Progress::merge(Coordinator& coordinator, ports::Database& database, const Position& whole,
                             std::chrono::milliseconds retry_for) {
  return write(coordinator, database, {{source_, text_, to_text(whole)}}, retry_for);
}

Result<void> Progress::write(Coordinator& coordinator, ports::Database& database, const std::vector<Change>& changes,
                             std::chrono::milliseconds retry_for) const {
  Backoff backoff(retry_for);
  bool was_in_doubt = false;
  for (;;) {
    const Outcome outcome = write_once(coordinator, changes);
    if (outcome.is_committed()) return {};
    was_in_doubt = was_in_doubt || outcome.state() == Outcome::State::in_doubt;
    if (was_in_doubt) {
      // What is read back was committed: a plan names the run that took it. Until then it may still land, and a second
      // attempt finds out.
      const auto stored = database.progress(changes.front().source);
      if (stored && *stored == changes.front().text) return {};
    }
    const bool again = outcome.state() == Outcome::State::in_doubt || outcome.error()->retriable;
    if (!again || !backoff.wait()) return failure(*outcome.error());
  }
}

Outcome Progress::write_once(Coordinator& coordinator, const std::vector<Change>& changes) {
  auto work = coordinator.begin();
  if (!work) return Outcome::aborted(work.error());
  for (const Change& change : changes) {
    const auto advanced = work->advance(change.source, change.expected, change.text);
    if (!advanced) return Outcome::aborted(advanced.error());
    if (!*advanced) return Outcome::aborted(moved_error(changes.front().source));
  }
  return work->commit();
}

}  // namespace write_aside::cli
