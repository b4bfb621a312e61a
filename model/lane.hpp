// What a process does with its lane, in pieces that several transitions share. Names as in src/coordination/lane.hpp.
#pragma once

#include "rules.hpp"
#include "state.hpp"

namespace write_aside::model {

[[nodiscard]] bool is_mine(const State& state, int process);
// Some transaction holds the lock on the lane row.
[[nodiscard]] bool lane_is_locked(const State& state, const Settings& settings);
// Journal rows that T4 and W look at.
[[nodiscard]] bool is_undelivered(const Unit& unit, const Settings& settings);
[[nodiscard]] bool has_undelivered_below(const State& state, Byte epoch, const Settings& settings);

[[nodiscard]] bool is_member(const Process& process, int unit);
[[nodiscard]] bool is_being_adopted(const Process& process, int unit);
[[nodiscard]] bool waits_for_evidence(const Process& process);
// Its COMMIT was not sent.
[[nodiscard]] bool is_open(Member is);
[[nodiscard]] bool may_adopt(const State& state, int process, const Settings& settings);
[[nodiscard]] bool may_join(const State& state, int process, const Settings& settings);

void add_member(Process& process, int unit, Member as);
void remove_member(Process& process, int unit);
// B3: what it produced must not become visible.
void leave_batch(Process& process, int unit, const Settings& settings);

void begin_batch(Process& process, const Settings& settings);
// Produces the unit's event, behind S if it is the batch's first. A refusal makes the process distrust its instance.
bool produce(State& state, int process, int unit, const Settings& settings);
void close_transaction(Process& process);
void distrust_producer(Process& process, const Settings& settings);
void settle_batch(Process& process);

// A unit that did not commit, and never will.
void roll_back(State& state, int unit);
// B5: what was not sent aborts; what was sent is resolved here; the rest belongs to the next owner.
void lose_lane(State& state, int process);
// Everything that a process knows is gone. What it sent stays under way.
void forget_everything(Process& process);

}  // namespace write_aside::model
