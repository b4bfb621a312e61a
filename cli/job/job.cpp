#include "job/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <thread>
#include <utility>

#include "interruption.hpp"
#include "job/backoff.hpp"
#include "open_coordinator.hpp"

namespace write_aside::cli {
namespace {

using namespace std::chrono_literals;

// While one ends its batch the other one takes units; with more of them batches are smaller and cost more.
constexpr std::uint32_t lanes_max = 2;
constexpr auto lanes_patience = 1'000ms;

CoordinatorOptions coordinator_options(const JobOptions& options, const Settings& settings, std::uint32_t workers) {
  CoordinatorOptions result;
  result.guarantee = options.guarantee;
  result.source = options.source;
  result.ledger_topic = settings.ledger_topic;
  result.lanes_max = std::min(workers, lanes_max);
  // A worker's units take one lane, in their order; this keeps it over a change of the lane's owner.
  result.strict_order = true;
  return result;
}

}  // namespace

Job::Job(const JobOptions& options, Stores stores, const Settings& settings, Progress progress)
    : options_(options),
      stores_(std::move(stores)),
      coordinator_options_(
          coordinator_options(options, settings, progress.planned_workers().value_or(options.workers))),
      settler_(stores_, coordinator_options_),
      progress_(std::move(progress)),
      workers_(progress_.planned_workers().value_or(options.workers)) {}

Result<ExitStatus> Job::run(RecordReader reader, std::unique_ptr<Translator> translator) {
  input_name_ = reader.input().name();
  auto rejects = RejectsFile::open(options_.rejects);
  if (!rejects) return failure(rejects);
  const bool other_number = workers_ != options_.workers;
  if (auto opened = open(reader.mark()); !opened) return failure(opened);

  const auto begin = std::chrono::steady_clock::now();
  status_.emplace(input_name_, *std::move(rejects), progress_.units() - progress_.rejected(), options_.quiet,
                  reader.input().size(), progress_.start().mark.offset);
  if (other_number) {
    status_->complain(fmt::format("source '{}' was interrupted with {} workers; they go on until its input is done",
                                  options_.source, workers_));
  }
  const Position& start = progress_.start();
  WorkerPosition only;
  only.units = start.units;
  Feed feed(std::move(reader), std::move(translator),
            Dealer(start.units, has_plan() ? progress_.workers() : std::vector{only}));
  const std::vector<Cursor> cursors = work(feed);
  if (auto error = feed.error(); error && !status_->stopped()) {
    status_->complain(error->message);
    status_->stop(ExitStatus::usage);
  }
  if (has_plan() && !status_->is_to_end()) merge(cursors, feed.end());
  Tally tally = status_->tally();
  tally.took = std::chrono::steady_clock::now() - begin;
  units_ = tally.units();
  finish();
  if (!options_.quiet && !options_.json) fmt::print("{}: {}\n", input_name_, to_sentence(tally));
  if (options_.json) fmt::print("{}\n", to_json(tally));
  return status_->exit_status();
}

Result<void> Job::open(const Mark& begin) {
  auto coordinator = open_coordinator(stores_, coordinator_options_);
  if (!coordinator) return failure(coordinator);
  coordinator_ = *std::move(coordinator);
  if (!has_plan()) return {};
  await_lanes();
  // A plan that begins deals the units otherwise than they were dealt before: what came before must be settled.
  if (!progress_.planned_workers()) {
    if (auto settled = settler_.settle(progress_.start().lanes); !settled) return settled;
  }
  return progress_.take_plan(*coordinator_, *stores_.database, workers_, begin, options_.retry_for);
}

void Job::await_lanes() const {
  if (options_.guarantee != Guarantee::exactly_once) return;
  Backoff backoff(lanes_patience);
  do {
    const auto lanes = stores_.database->lanes();
    if (!lanes) return;
    const auto is_free = [](const ports::LaneSummary& lane) {
      return lane.row.halted.empty() && lane.row.owner.empty();
    };
    const bool more = std::any_of(lanes->begin(), lanes->end(), is_free);
    if (!more || coordinator_->lanes().size() >= coordinator_options_.lanes_max) return;
  } while (backoff.wait());
}

std::vector<Cursor> Job::work(Feed& feed) {
  const Workplace workplace{options_, *coordinator_, settler_, feed, *status_};
  std::deque<Worker> workers;
  for (Cursor& cursor : progress_.cursors()) {
    workers.emplace_back(workplace, static_cast<std::uint32_t>(workers.size()), std::move(cursor));
  }
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < workers.size(); ++i) threads.emplace_back([&worker = workers[i]] { worker.run(); });
  workers.front().run();
  for (std::thread& thread : threads) thread.join();
  std::vector<Cursor> cursors;
  for (const Worker& worker : workers) cursors.push_back(worker.cursor());
  return cursors;
}

void Job::merge(const std::vector<Cursor>& cursors, const std::optional<Feed::End>& end) {
  Position whole = progress_.start();
  if (end) whole.mark = end->mark;
  if (end) whole.units = end->units;
  whole.workers = std::max(whole.workers, workers_);
  for (const Cursor& cursor : cursors) {
    whole.rejected += cursor.rejected();
    whole.lanes.insert(whole.lanes.end(), cursor.lanes().begin(), cursor.lanes().end());
  }
  std::sort(whole.lanes.begin(), whole.lanes.end());
  whole.lanes.erase(std::unique(whole.lanes.begin(), whole.lanes.end()), whole.lanes.end());
  const auto merged = progress_.merge(*coordinator_, *stores_.database, whole, options_.retry_for);
  if (merged) return;
  status_->complain(
      fmt::format("every unit is done, but not noted as such: {}; run the same command again", merged.error().message));
  status_->stop(exit_status_of(merged.error()));
}

void Job::finish() {
  status_->hide();
  if (auto flushed = coordinator_->flush(coordinator_options_.visible_timeout); !flushed) {
    status_->complain(fmt::format("committed, but the last events are not visible yet: {}; run 'write-aside recover'",
                                  flushed.error().message));
    status_->stop(exit_status_of(flushed.error()));
  }
  coordinator_.reset();
}

}  // namespace write_aside::cli
