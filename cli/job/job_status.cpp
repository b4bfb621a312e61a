#include "job/job_status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "interruption.hpp"
#include "printable.hpp"

namespace write_aside::cli {
namespace {

// Each refusal is told, up to this many; all of them are in the rejects file.
constexpr std::uint64_t refusals_told_max = 20;

}  // namespace

JobStatus::JobStatus(std::string input_name, RejectsFile rejects, std::uint64_t skipped, bool quiet,
                     std::optional<std::uint64_t> input_bytes, std::uint64_t offset)
    : input_name_(std::move(input_name)),
      rejects_(std::move(rejects)),
      display_(quiet, input_bytes, offset),
      offset_(offset) {
  tally_.skipped = skipped;
}

bool JobStatus::is_to_end() const { return stopped() || interruption::requested(); }

void JobStatus::stop(ExitStatus status) {
  const Lock lock(mutex_);
  stop_locked(status);
}

bool JobStatus::stop_locked(ExitStatus status) {
  const bool first = !stopped_.exchange(true);
  // A doubt is what the user must not miss.
  if (first || status == ExitStatus::in_doubt) status_ = status;
  return first;
}

Result<void> JobStatus::note_refusal(const PlannedUnit& unit) {
  const Lock lock(mutex_);
  if (++refusals_told_ <= refusals_told_max) complain_locked(unit, unit.refusal->at, unit.refusal->message);
  if (refusals_told_ == refusals_told_max + 1) {
    complain_locked("further rejected units are counted, but not told one by one");
  }
  return rejects_.add(unit);
}

void JobStatus::stop_at(const PlannedUnit& unit) {
  const Lock lock(mutex_);
  if (!stop_locked(ExitStatus::rejected)) return;
  complain_locked(unit, unit.refusal->at, unit.refusal->message);
  ++tally_.aborted;
}

void JobStatus::give_up(const PlannedUnit& unit, const Error& error) {
  const Lock lock(mutex_);
  // A retry that was cut short is no failure: the unit is rolled back, and the next run begins with it.
  if (error.retriable && interruption::requested()) {
    stop_locked(interruption::exit_status());
    return;
  }
  if (!stop_locked(exit_status_of(error))) return;
  complain_locked(unit, 0, error.message);
  ++tally_.aborted;
}

void JobStatus::moved(const PlannedUnit& unit, const Error& error) {
  const Lock lock(mutex_);
  if (stop_locked(ExitStatus::rejected)) complain_locked(unit, 0, error.message);
}

void JobStatus::in_doubt(const PlannedUnit& unit, std::uint64_t units, const std::string& message) {
  const Lock lock(mutex_);
  stop_locked(ExitStatus::in_doubt);
  complain_locked(unit, 0, message);
  tally_.in_doubt += units;
}

void JobStatus::account(std::uint64_t units, std::uint64_t rejected, std::uint64_t events, std::uint64_t offset) {
  const Lock lock(mutex_);
  tally_.aborted += rejected;
  tally_.committed += units - rejected;
  tally_.events += events;
  offset_ = std::max(offset_, offset);
}

void JobStatus::complain(const PlannedUnit& unit, std::size_t at, const std::string& message) {
  const Lock lock(mutex_);
  complain_locked(unit, at, message);
}

void JobStatus::complain(const std::string& message) {
  const Lock lock(mutex_);
  complain_locked(message);
}

void JobStatus::complain_locked(const PlannedUnit& unit, std::size_t at, const std::string& message) {
  const auto [line, column] = place_of(unit, at);
  complain_locked(fmt::format("{}:{}:{}: {}", input_name_, line, column, message));
}

void JobStatus::complain_locked(const std::string& message) {
  display_.clear();
  fmt::print(stderr, "write-aside: {}\n", printable(message));
}

void JobStatus::show() {
  const Lock lock(mutex_);
  display_.update(tally_, offset_);
}

void JobStatus::hide() {
  const Lock lock(mutex_);
  display_.clear();
}

Tally JobStatus::tally() const {
  const Lock lock(mutex_);
  return tally_;
}

ExitStatus JobStatus::exit_status() const {
  const Lock lock(mutex_);
  if (status_ != ExitStatus::committed) return status_;
  if (interruption::requested()) return interruption::exit_status();
  return tally_.aborted > 0 ? ExitStatus::rejected : ExitStatus::committed;
}

}  // namespace write_aside::cli
