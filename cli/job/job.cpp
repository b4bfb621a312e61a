#include "job/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "interruption.hpp"
#include "job/backoff.hpp"
#include "open_coordinator.hpp"

namespace write_aside::cli {
namespace {

using namespace std::chrono_literals;

// A batch ends early rather than hold more than this.
constexpr std::size_t batch_bytes_max = 8 << 20;
// How long a batch that has begun waits for more input.
constexpr auto batch_patience = 5ms;
constexpr auto display_interval = 200ms;
// Each refusal is told, up to this many; all of them are in the rejects file.
constexpr std::uint64_t refusals_told_max = 20;

}  // namespace

Job::Job(const JobOptions& options, Stores stores, const Settings& settings, std::optional<std::string> stored,
         Position position)
    : options_(options), stores_(std::move(stores)), stored_(std::move(stored)), position_(std::move(position)) {
  coordinator_options_.guarantee = options.guarantee;
  coordinator_options_.source = options.source;
  coordinator_options_.ledger_topic = settings.ledger_topic;
  // One lane and strict order: the events of an input stay in its order, over kills and restarts.
  coordinator_options_.lanes_max = 1;
  coordinator_options_.strict_order = true;
}

Result<ExitStatus> Job::run(RecordReader reader, std::unique_ptr<Translator> translator) {
  input_name_ = reader.input().name();
  auto rejects = RejectsFile::open(options_.rejects);
  if (!rejects) return failure(rejects);
  rejects_ = *std::move(rejects);
  if (auto opened = open(); !opened) return failure(opened);

  const auto begin = std::chrono::steady_clock::now();
  tally_.skipped = position_.units - position_.rejected;
  display_.emplace(options_.quiet, reader.input().size(), position_.mark.offset);
  Feed feed(std::move(reader), std::move(translator));
  consume(feed);
  tally_.took = std::chrono::steady_clock::now() - begin;
  finish(feed);
  return final_status();
}

Result<void> Job::open() {
  auto coordinator = open_coordinator(stores_, coordinator_options_);
  if (!coordinator) return failure(coordinator);
  coordinator_ = *std::move(coordinator);
  runner_.emplace(*coordinator_, options_.wait, [this](const PlannedUnit& unit) { return note_refusal(unit); });
  return settle_lanes();
}

Result<void> Job::settle_lanes() {
  const std::vector<LaneNumber> ours = coordinator_->lanes();
  std::vector<LaneNumber> others;
  for (const LaneNumber lane : position_.lanes) {
    if (std::find(ours.begin(), ours.end(), lane) == ours.end()) others.push_back(lane);
  }
  if (others.empty()) return {};
  const auto summaries = stores_.database->lanes();
  if (!summaries) return failure(summaries);
  const bool settled = std::none_of(summaries->begin(), summaries->end(), [&](const ports::LaneSummary& summary) {
    const bool used = std::find(others.begin(), others.end(), summary.row.lane) != others.end();
    return used && (!summary.row.owner.empty() || summary.undelivered > 0);
  });
  if (settled) return {};
  auto recovery =
      recover(stores_.database, stores_.stream, coordinator_options_, others, coordinator_options_.lease + 2'000ms);
  if (!recovery) return failure(recovery);
  for (const Recovery::Lane& lane : recovery->lanes) {
    if (lane.settled) continue;
    return failure(
        Error{ErrorCode::conflict,
              Side::coordinator,
              Effect::no,
              true,
              fmt::format("lane {}, which an earlier run of source '{}' used, is not settled: {}; wait for the "
                          "other run to end, or see 'write-aside status'",
                          lane.lane, options_.source, lane.note),
              {}});
  }
  return {};
}

void Job::consume(Feed& feed) {
  while (!stopped_ && !interruption::requested() && !feed.ended()) {
    std::vector<PlannedUnit*> units = collect(feed);
    process(std::move(units));
    if (!stopped_ && last_ != nullptr) stop_at(*last_);
    display_->update(tally_, position_.mark.offset);
    feed.release();
  }
}

std::vector<PlannedUnit*> Job::collect(Feed& feed) {
  std::vector<PlannedUnit*> units;
  std::size_t bytes = 0;
  while (units.size() < options_.batch && bytes < batch_bytes_max) {
    PlannedUnit* unit = feed.next(units.empty() ? display_interval : batch_patience);
    if (unit == nullptr) break;
    if (unit->refusal && options_.on_error == OnError::stop) {
      last_ = unit;
      break;
    }
    if (unit->refusal) {
      if (auto noted = note_refusal(*unit); !noted) {
        give_up(*unit, noted.error());
        return {};
      }
    }
    units.push_back(unit);
    bytes += unit->text.size();
  }
  return units;
}

Position Job::position_after(const std::vector<PlannedUnit*>& units) const {
  Position position = position_;
  position.mark = units.back()->after;
  position.units += units.size();
  position.rejected += static_cast<std::uint64_t>(
      std::count_if(units.begin(), units.end(), [](const PlannedUnit* unit) { return unit->refusal.has_value(); }));
  position.lanes = coordinator_->lanes();
  return position;
}

void Job::process(std::vector<PlannedUnit*> units) {
  Backoff backoff(options_.retry_for);
  bool isolate = false;
  while (!units.empty() && !stopped_) {
    // The coordinator lost a lane and took another one: what it left there comes first.
    if (coordinator_->lanes() != position_.lanes) {
      if (auto settled = settle_lanes(); !settled) return give_up(*units.front(), settled.error());
    }
    Position next;
    const auto position = [&] {
      next = position_after(units);
      return to_text(next);
    };
    Attempt attempt = runner_->run(units, {options_.source, stored_, position}, isolate);
    if (attempt.kind == Attempt::Kind::in_doubt) attempt.kind = settle_doubt(*units.front(), attempt);
    if (attempt.kind == Attempt::Kind::committed) return account(units, attempt, std::move(next));
    react(units, attempt, backoff, isolate);
  }
}

void Job::react(std::vector<PlannedUnit*>& units, const Attempt& attempt, Backoff& backoff, bool& isolate) {
  switch (attempt.kind) {
    case Attempt::Kind::committed:
      return;
    case Attempt::Kind::unit_refused:
      return react_to_refusal(units, attempt, isolate);
    case Attempt::Kind::refused:
      if (units.size() == 1 && !units.front()->refusal) return react_to_refusal(units, attempt, isolate);
      if (units.size() == 1) return give_up(*units.front(), *attempt.error);
      // The database said so at commit, and not which unit it was. Each one alone will tell.
      return one_by_one(units);
    case Attempt::Kind::try_again:
      if (!backoff.wait()) give_up(*units.front(), *attempt.error);
      return;
    case Attempt::Kind::moved:
      complain(
          *units.front(), 0,
          fmt::format("another run of source '{}' moved its progress, nothing was applied twice; let it finish, or "
                      "give this input a name of its own with --source",
                      options_.source));
      return stop(ExitStatus::rejected);
    case Attempt::Kind::in_doubt:
      tally_.in_doubt += units.size();
      return stop(ExitStatus::in_doubt);
    case Attempt::Kind::failed:
      return give_up(*units.front(), *attempt.error);
  }
}

void Job::one_by_one(std::vector<PlannedUnit*>& units) {
  const PlannedUnit* const ahead = last_;
  for (PlannedUnit* unit : units) {
    if (stopped_ || last_ != ahead || interruption::requested()) break;
    process({unit});
  }
  units.clear();
}

void Job::react_to_refusal(std::vector<PlannedUnit*>& units, const Attempt& attempt, bool& isolate) {
  PlannedUnit& unit = *units[attempt.unit];
  if (options_.on_error == OnError::skip && units.size() > 1) {
    isolate = true;
    return;
  }
  unit.refusal = Refusal{attempt.at, attempt.error->message};
  if (options_.on_error == OnError::skip) {
    if (auto noted = note_refusal(unit); !noted) give_up(unit, noted.error());
    return;
  }
  // Those before it still commit.
  last_ = &unit;
  units.resize(attempt.unit);
}

Attempt::Kind Job::settle_doubt(const PlannedUnit& unit, const Attempt& attempt) {
  Backoff backoff(options_.retry_for);
  while (attempt.id) {
    switch (coordinator_->resolve(*attempt.id).state()) {
      case Outcome::State::committed:
        return Attempt::Kind::committed;
      case Outcome::State::aborted:
        return Attempt::Kind::try_again;
      case Outcome::State::in_doubt:
        break;
    }
    if (!backoff.wait()) break;
  }
  const std::string remedy =
      attempt.id ? fmt::format("run 'write-aside resolve {}', then", to_string(*attempt.id)) : "";
  complain(unit, 0,
           fmt::format("the unit is in doubt: {}; {} run the same command again", attempt.error->message, remedy));
  return Attempt::Kind::in_doubt;
}

Result<void> Job::note_refusal(const PlannedUnit& unit) {
  if (++refusals_told_ <= refusals_told_max) complain(unit, unit.refusal->at, unit.refusal->message);
  if (refusals_told_ == refusals_told_max + 1) complain("further rejected units are counted, but not told one by one");
  return rejects_.add(unit);
}

void Job::stop_at(const PlannedUnit& unit) {
  complain(unit, unit.refusal->at, unit.refusal->message);
  ++tally_.aborted;
  stop(ExitStatus::rejected);
}

void Job::give_up(const PlannedUnit& unit, const Error& error) {
  // An interrupted retry is no failure: the unit is rolled back, and the next run begins with it.
  if (error.retriable && interruption::requested()) return stop(interruption::exit_status());
  complain(unit, 0, error.message);
  ++tally_.aborted;
  stop(exit_status_of(error));
}

void Job::stop(ExitStatus status) {
  stopped_ = true;
  status_ = status;
}

void Job::account(const std::vector<PlannedUnit*>& units, const Attempt& attempt, Position position) {
  const std::uint64_t rejected = position.rejected - position_.rejected;
  tally_.aborted += rejected;
  tally_.committed += units.size() - rejected;
  tally_.events += attempt.events;
  stored_ = to_text(position);
  position_ = std::move(position);
  if (attempt.error) complain(*units.front(), 0, attempt.error->message);
}

void Job::finish(Feed& feed) {
  display_->clear();
  if (auto error = feed.error(); error && !stopped_) {
    complain(error->message);
    stop(ExitStatus::usage);
  }
  if (auto flushed = coordinator_->flush(coordinator_options_.visible_timeout); !flushed) {
    complain(fmt::format("committed, but the last events are not visible yet: {}; run 'write-aside recover'",
                         flushed.error().message));
    if (status_ == ExitStatus::committed) status_ = exit_status_of(flushed.error());
  }
  coordinator_.reset();
  if (!options_.quiet && !options_.json) fmt::print("{}: {}\n", input_name_, to_sentence(tally_));
  if (options_.json) fmt::print("{}\n", to_json(tally_));
}

ExitStatus Job::final_status() const {
  if (stopped_ || status_ != ExitStatus::committed) return status_;
  if (interruption::requested()) return interruption::exit_status();
  return tally_.aborted > 0 ? ExitStatus::rejected : ExitStatus::committed;
}

void Job::complain(const PlannedUnit& unit, std::size_t at, const std::string& message) {
  const auto [line, column] = place_of(unit, at);
  complain(fmt::format("{}:{}:{}: {}", input_name_, line, column, message));
}

void Job::complain(const std::string& message) {
  if (display_) display_->clear();
  fmt::print(stderr, "write-aside: {}\n", message);
}

}  // namespace write_aside::cli
