#include "simulation/scenario.hpp"

#include <algorithm>

namespace write_aside::simulation {

void Scenario::run_process(FaultyProcess& process, SimulatedProcess& simulated, const CoordinatorOptions& settings,
                           const Body& body) {
  start_process(process, simulated, settings, body).reset();  // joins
}

std::unique_ptr<ports::Thread> Scenario::start_process(FaultyProcess& process, SimulatedProcess& simulated,
                                                       CoordinatorOptions settings, Body body) {
  settings.runtime = &simulated;
  return simulated.start_thread("main", [this, &process, &simulated, settings, body = std::move(body)] {
    const auto database = process.decorate(pair_.database(simulated));
    const auto stream = process.decorate(pair_.stream(simulated));
    auto coordinator = Coordinator::open(database, stream, settings);
    if (coordinator) body(**coordinator, simulated);
  });
}

void Scenario::commit_unit(Coordinator& coordinator, SimulatedProcess& process, int id, const RunOptions& run,
                           const Work& more) {
  const auto work = [&](UnitOfWork& unit) -> Result<void> {
    if (more) {
      if (auto done = more(unit); !done) return done;
    }
    if (auto written = pair_.write_row(unit, id); !written) return written;
    return unit.publish({.topic = "t", .key = "k", .type = "x", .value = std::to_string(id)});
  };
  const Outcome outcome = coordinator.run(work, run);
  if (process.killed()) return;
  if (on_report) on_report(id, outcome);
  reported_.insert_or_assign(id, Reported{outcome.state(), outcome.unit()});
}

std::string Scenario::verdict() {
  // Whatever happened before: one process more, without faults, brings everything to rest.
  SimulatedProcess& simulated = world_.process("last");
  FaultyProcess process(simulated);
  const auto settle = [&] {
    const auto database = process.decorate(pair_.database(simulated));
    const auto stream = process.decorate(pair_.stream(simulated));
    CoordinatorOptions settings = options;
    settings.runtime = &simulated;
    const auto recovery = recover(database, stream, settings, {}, std::chrono::seconds(60));
    if (!recovery) {
      failure_ = "recover failed: " + recovery.error().message;
      return;
    }
    for (const auto& lane : recovery->lanes) {
      if (!lane.settled) failure_ = "lane " + std::to_string(lane.lane) + " is not settled: " + lane.note;
    }
    auto coordinator = Coordinator::open(database, stream, settings);
    if (!coordinator) {
      failure_ = "open failed: " + coordinator.error().message;
      return;
    }
    if (patience.count() > 0) world_.sleep(patience);
    // H: what a caller was told was in doubt is answered the same way for ever.
    for (auto& [id, reported] : reported_) {
      if (reported.state != Outcome::State::in_doubt || !reported.unit) continue;
      const Outcome outcome = (*coordinator)->resolve(*reported.unit);
      reported.state = outcome.state();
      if (outcome.state() == Outcome::State::in_doubt && !may_be_too_old) {
        failure_ = "unit " + std::to_string(id) + " stays in doubt: " + outcome.error()->message;
      }
    }
    if (!last_unit) return;
    // An error that `run` does not try again may still be in the way once, such as a producer that was fenced late.
    for (int attempt = 0; attempt < 3; ++attempt) {
      commit_unit(**coordinator, simulated, *last_unit, Wait::visible);
      if (reported_.at(*last_unit).state == Outcome::State::committed) return;
    }
    failure_ = "the last unit did not commit";
  };
  simulated.start_thread("main", settle).reset();
  if (!failure_.empty()) failure_ += "; ";
  return failure_ + compare();
}

std::string Scenario::compare() {
  const std::set<int> rows = pair_.rows();
  const std::vector<int> events = pair_.events();
  std::string wrong;
  for (const int id : rows) {
    const auto count = std::count(events.begin(), events.end(), id);
    if (count == 0) wrong += "lost " + std::to_string(id) + "; ";
    if (count > 1) wrong += "duplicate " + std::to_string(id) + "; ";
  }
  for (const int id : events) {
    if (!rows.contains(id)) wrong += "orphan " + std::to_string(id) + "; ";
  }
  for (const auto& [id, reported] : reported_) {
    if (reported.state == Outcome::State::committed && !rows.contains(id)) {
      wrong += "reported committed, has no row: " + std::to_string(id) + "; ";
    }
    if (reported.state == Outcome::State::aborted && rows.contains(id)) {
      wrong += "reported aborted, has its row: " + std::to_string(id) + "; ";
    }
  }
  if (ordered && !std::is_sorted(events.begin(), events.end())) {
    wrong += "out of order:";
    for (const int id : events) wrong += ' ' + std::to_string(id);
  }
  return wrong;
}

}  // namespace write_aside::simulation
