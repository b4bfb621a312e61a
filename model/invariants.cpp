#include "invariants.hpp"

#include <algorithm>

namespace write_aside::model {

namespace {

void violate(State& state, Violation violation) {
  if (state.violation == Violation::none) state.violation = violation;  // the first one is the cause
}

bool is_in_prepared(const Stream& stream, int unit) {
  const auto end = stream.contents.begin() + stream.count;
  return stream.transaction == StreamTransaction::prepared && std::find(stream.contents.begin(), end, unit) != end;
}

// Nobody waits for a stream transaction, for a store or for evidence.
bool is_at_rest(const State& state, const Process& process) {
  if (process.phase == Phase::idle) return true;
  if (process.phase == Phase::open) return process.count == 0 && process.transaction == ClientTransaction::closed;
  if (process.phase != Phase::lost) return false;
  for (int unit = 0; unit < units_max; ++unit) {
    // D4: about a unit that is too old there will be no evidence any more.
    if (process.is[unit] != Member::none && state.units[unit].key > state.lane.purged) return false;
  }
  return true;
}

}  // namespace

void check_visible(State& state, int unit, Order promised) {
  const Unit& late = state.units[unit];
  if (late.decision != Decision::committed) violate(state, Violation::orphan);
  if (has(state.stream.visible, unit)) violate(state, Violation::duplicate);
  for (int other = 0; other < units_max; ++other) {
    if (!has(late.after, other) || has(state.stream.visible, other)) continue;
    const bool one_epoch = state.units[other].key.epoch == late.key.epoch;
    if (promised == Order::over_owners || (promised == Order::within_epoch && one_epoch)) {
      violate(state, Violation::disorder);
    }
  }
}

void check_report(State& state, int unit, bool committed) {
  const Decision proven = committed ? Decision::committed : Decision::rolled_back;
  if (state.units[unit].decision != proven) violate(state, Violation::dishonest);
}

void check_row_gone(State& state, int unit) {
  if (!has(state.stream.visible, unit) && !is_in_prepared(state.stream, unit)) violate(state, Violation::lost);
}

void check_halt(State& state) { violate(state, Violation::false_halt); }

Violation check_rest(const State& state, int units) {
  for (int unit = 0; unit < units; ++unit) {
    const Decision decision = state.units[unit].decision;
    if (decision == Decision::committed && !has(state.stream.visible, unit)) return Violation::undelivered;
    if (decision != Decision::committed && decision != Decision::rolled_back) return Violation::stuck;
  }
  const bool at_rest = std::all_of(state.processes.begin(), state.processes.end(),
                                   [&state](const Process& process) { return is_at_rest(state, process); });
  return at_rest ? Violation::none : Violation::stuck;
}

const char* name(Violation violation) {
  switch (violation) {
    case Violation::none:
      return "none";
    case Violation::orphan:
      return "orphan";
    case Violation::lost:
      return "lost";
    case Violation::undelivered:
      return "never delivered";
    case Violation::duplicate:
      return "duplicate";
    case Violation::dishonest:
      return "dishonest outcome";
    case Violation::disorder:
      return "out of order";
    case Violation::false_halt:
      return "false halt";
    case Violation::stuck:
      return "stuck";
  }
  return "?";
}

}  // namespace write_aside::model
