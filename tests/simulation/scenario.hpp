// Scenarios: several simulated processes on one pair of stores, faults at their ports, and an oracle at the end.
//
// A unit writes the row `id` and publishes one event whose value is that id, all with one key, so that the topic holds
// them in the order of their decisions. The oracle reads both stores from outside, without the coordination, and says
// what is wrong: lost, orphan, duplicate, out of order, an outcome that was not true, something left undelivered.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "support/faulty_ports.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::simulation {

using support::Fault;
using support::FaultyProcess;
using support::SimulatedProcess;
using support::World;

// A pair of stores. It stays when processes die.
class StorePair {
 public:
  StorePair() = default;
  StorePair(const StorePair&) = delete;
  StorePair& operator=(const StorePair&) = delete;
  virtual ~StorePair() = default;

  // What one process opens.
  virtual std::shared_ptr<ports::Database> database(SimulatedProcess& process) = 0;
  virtual std::shared_ptr<ports::EventStream> stream(SimulatedProcess& process) = 0;
  virtual Result<void> write_row(UnitOfWork& unit, int id) = 0;
  // Read from outside: rows, and the ids of the events in the topic in the order of their offsets.
  virtual std::set<int> rows() = 0;
  virtual std::vector<int> events() = 0;
};

struct Reported {
  Outcome::State state;
  std::optional<UnitId> unit;
};

// One run. Processes are started from within `World::run`.
class Scenario {
 public:
  Scenario(World& world, StorePair& pair) : world_(world), pair_(pair) {}

  // Runs a process to its end or death: opens a coordinator and, if that succeeds, gives it to `body`.
  using Body = std::function<void(Coordinator&, SimulatedProcess&)>;
  void run_process(FaultyProcess& process, SimulatedProcess& simulated, const CoordinatorOptions& options,
                   const Body& body);
  // The same, in the background.
  std::unique_ptr<ports::Thread> start_process(FaultyProcess& process, SimulatedProcess& simulated,
                                               CoordinatorOptions options, Body body);

  // One unit; what it reported is kept for the oracle unless the process died meanwhile.
  void commit_unit(Coordinator& coordinator, SimulatedProcess& process, int id, Wait wait = Wait::decided) {
    commit_unit(coordinator, process, id, {.wait = wait, .deadline = std::chrono::seconds(20)}, {});
  }
  // `more` is done in the unit, too, before its row is written.
  using Work = std::function<Result<void>(UnitOfWork&)>;
  void commit_unit(Coordinator& coordinator, SimulatedProcess& process, int id, const RunOptions& run,
                   const Work& more);
  // Settles everything with a process of its own, asks about what was left in doubt, and compares. Empty: all is well.
  std::string verdict();

  CoordinatorOptions options;
  bool ordered = true;  // ids are decided in rising order
  // A journal row may be purged before somebody asks about it, who is then told that nobody can tell any more.
  bool may_be_too_old = false;
  // The last process stays that long: what lands meanwhile is its to deliver. Then it takes every lane.
  std::chrono::nanoseconds patience{0};
  std::optional<int> last_unit;  // liveness: at the end a unit of that id commits and becomes visible
  std::function<void(int id, const Outcome&)> on_report;

 private:
  std::string compare();

  World& world_;
  StorePair& pair_;
  std::map<int, Reported> reported_;
  std::string failure_;
};

}  // namespace write_aside::simulation
