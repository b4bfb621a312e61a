#include "invariants.hpp"

#include <algorithm>

namespace write_aside::model {

namespace {

void violate(State& state, Violation violation) {
  if (state.violation == Violation::none) state.violation = violation;  // the first one is the cause
}

bool has(Byte set, int unit) { return ((set >> unit) & 1) != 0; }

bool is_in_prepared(const Stream& stream, int unit) {
  const auto end = stream.contents.begin() + stream.count;
  return stream.transaction == StreamTransaction::prepared && std::find(stream.contents.begin(), end, unit) != end;
}

}  // namespace

void check_visible(State& state, int unit, bool strict_order) {
  const Unit& late = state.units[unit];
  if (late.decision != Decision::committed) violate(state, Violation::orphan);
  if (has(state.stream.visible, unit)) violate(state, Violation::duplicate);
  for (int other = 0; other < units_max; ++other) {
    // Over a change of owner only strict_order promises anything.
    const bool promised = strict_order || state.units[other].key.epoch == late.key.epoch;
    if (has(late.after, other) && promised && !has(state.stream.visible, other)) violate(state, Violation::disorder);
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
    if (decision == Decision::committed && !has(state.stream.visible, unit)) return Violation::lost;
    if (decision != Decision::committed && decision != Decision::rolled_back) return Violation::stuck;
  }
  // Nobody waits for a stream transaction or a store any more.
  const bool at_rest = std::all_of(state.processes.begin(), state.processes.end(), [](const Process& process) {
    return process.phase == Phase::idle || process.phase == Phase::lost ||
           (process.phase == Phase::open && process.count == 0 && process.transaction == ClientTransaction::closed);
  });
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
