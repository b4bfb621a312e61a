// What must never be seen. Each is checked where it can first be broken, so that a counterexample is short; what only
// the end of a run can show is checked in every state that has no successor.
#pragma once

#include "rules.hpp"
#include "state.hpp"

namespace write_aside::model {

// No orphan, no duplicate, order: called when the event of `unit` becomes visible.
void check_visible(State& state, int unit, Order promised);

// Honest outcomes: called when a caller is told `committed` or `aborted`.
void check_report(State& state, int unit, bool committed);

// No loss: called when a row is marked delivered or deleted, after which nobody would deliver its event.
void check_row_gone(State& state, int unit);

// No false halt: nothing was damaged, so no lane may say that something is.
void check_halt(State& state);

// A state without successors: every unit is decided and every committed unit's event is visible.
[[nodiscard]] Violation check_rest(const State& state, int units);

[[nodiscard]] const char* name(Violation violation);

}  // namespace write_aside::model
