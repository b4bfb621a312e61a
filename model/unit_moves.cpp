// C: a unit joins, votes and decides. D: its doubt ends.
#include <algorithm>

#include "invariants.hpp"
#include "lane.hpp"
#include "moves.hpp"

namespace write_aside::model {

namespace {

Byte next_member_number(const State& state, Batch batch) {
  Byte highest = 0;
  for (const Unit& unit : state.units) {
    if (unit.key == batch) highest = std::max(highest, unit.member);
  }
  return static_cast<Byte>(highest + 1);
}

Byte committed_units(const State& state) {
  unsigned set = 0;
  for (unsigned unit = 0; unit < units_max; ++unit) {
    if (state.units[unit].decision == Decision::committed) set |= 1u << unit;
  }
  return static_cast<Byte>(set);
}

// The next unit joins the open batch, and its events are produced. False: that was refused, and the unit is over.
bool join(State& state, int p, const Settings& settings) {
  Process& mine = state.processes[p];
  const int u = state.begun++;
  Unit& unit = state.units[u];
  if (mine.transaction == ClientTransaction::closed) begin_batch(mine, settings);
  const Batch batch{mine.epoch, mine.n};
  unit.member = next_member_number(state, batch);
  unit.key = unit.label = batch;
  unit.after = committed_units(state);
  unit.decision = Decision::open;
  // Where nothing refuses the INSERT it is one step with the joining.
  add_member(mine, u, settings.order == Order::over_owners ? Member::unwritten : Member::joined);
  return produce(state, p, u, settings);
}

void withdraw(State& state, int p, int u, const Settings& settings) {
  roll_back(state, u);
  check_report(state, u, false);
  leave_batch(state.processes[p], u, settings);
}

// C2, C4. Production and vote are one step: between them only what c4_withdraw covers can happen.
void c2_join(const State& state, int p, Moves& moves) {
  const Settings& settings = moves.settings;
  if (state.begun == settings.bounds.units || !may_join(state, p, settings)) return;
  const int u = state.begun;
  State& next = moves.to(state, {"c2_join", static_cast<Byte>(p), state.begun, "produced and acknowledged"});
  if (!join(next, p, settings)) withdraw(next, p, u, settings);
}

// C3 with strict_order: the journal INSERT inserts nothing while an older row is undelivered.
void c3_insert(const State& state, int p, int u, Moves& moves) {
  if (state.processes[p].is[u] != Member::unwritten) return;
  const Settings& settings = moves.settings;
  const bool refuses =
      settings.rules.keep(Rule::s_insert_refused) && has_undelivered_below(state, state.processes[p].epoch, settings);
  State& next = moves.to(state, {"c3_insert", static_cast<Byte>(p), static_cast<Byte>(u),
                                 refuses ? "refused by strict_order" : "the journal row is written"});
  if (refuses) return withdraw(next, p, u, settings);
  next.processes[p].is[u] = Member::joined;
}

// C4: no acknowledgement in time, or the journal INSERT failed.
void c4_withdraw(const State& state, int p, int u, Moves& moves) {
  if (!is_open(state.processes[p].is[u])) return;
  State* next = moves.fault(state, {"c4_withdraw", static_cast<Byte>(p), static_cast<Byte>(u), "rolls back"});
  if (next != nullptr) withdraw(*next, p, u, moves.settings);
}

void c5_commit(const State& state, int p, int u, Moves& moves) {
  const Process& mine = state.processes[p];
  if (mine.is[u] != Member::joined) return;
  const bool vote = mine.phase == Phase::open && mine.transaction == ClientTransaction::produced && !mine.broken;
  if (!vote && moves.settings.rules.keep(Rule::c4_vote_first)) return;
  State& next = moves.to(state, {"c5_commit", static_cast<Byte>(p), static_cast<Byte>(u), "COMMIT sent"});
  next.processes[p].is[u] = Member::sent;
  next.units[u].decision = Decision::in_flight;
  if (moves.settings.rules.keep(Rule::c5_journal_row_first)) return;
  const Move pipelined{"c5_commit", static_cast<Byte>(p), static_cast<Byte>(u), "sent behind an INSERT that fails"};
  if (State* bad = moves.fault(state, pipelined)) {
    bad->processes[p].is[u] = Member::sent;
    bad->units[u].decision = Decision::in_flight;
    bad->units[u].journal_missing = true;
  }
}

// The member's fate is known: committed or not.
void decided(State& state, int p, int u, bool committed, const Settings& settings) {
  Process& mine = state.processes[p];
  check_report(state, u, committed);
  if (!committed) return leave_batch(mine, u, settings);
  if (mine.phase == Phase::lost) {
    mine.is[u] = Member::none;
    return;
  }
  mine.is[u] = Member::committed;
  if (is_member(mine, u)) return;
  add_member(mine, u, Member::committed);  // without D1: it comes back to whatever batch there is
  if (mine.transaction != ClientTransaction::closed) (void)produce(state, p, u, settings);
}

void c5_reply(const State& state, int p, int u, Moves& moves) {
  if (state.processes[p].is[u] != Member::sent) return;
  const Settings& settings = moves.settings;
  const Decision decision = state.units[u].decision;
  if (decision == Decision::committed || decision == Decision::rolled_back) {
    const bool committed = decision == Decision::committed;
    State& next = moves.to(state, {"c5_reply", static_cast<Byte>(p), static_cast<Byte>(u),
                                   committed ? "committed" : "proven rollback: aborted"});
    decided(next, p, u, committed, settings);
  }
  State* next = moves.fault(state, {"c5_reply_lost", static_cast<Byte>(p), static_cast<Byte>(u), "in doubt"});
  if (next == nullptr) return;
  if (!settings.rules.keep(Rule::c5_lost_reply_is_in_doubt)) return decided(*next, p, u, false, settings);
  next->processes[p].is[u] = Member::doubtful;
  next->units[u].told_in_doubt = true;
}

void d2_end_session(const State& state, int p, int u, Moves& moves) {
  if (state.processes[p].is[u] != Member::doubtful || state.units[u].decision != Decision::in_flight) return;
  if (!moves.settings.rules.keep(Rule::d2_end_session)) return;
  State& next = moves.to(state, {"d2_end_session", static_cast<Byte>(p), static_cast<Byte>(u), "rolled back"});
  roll_back(next, u);
}

enum class Verdict { unknown, committed, aborted };

// The tombstone's transaction. Nobody's COMMIT is under way with that key: the database would wait for it. `own`: the
// unit is a member of a lane that is the asker's own.
Verdict insert_tombstone(State& state, int u, const Rules& rules, bool own) {
  Unit& unit = state.units[u];
  const Batch key = unit.key;
  // Nobody else delivers the row of such a member, so no purge can have taken it.
  const bool may_be_purged = !own || !rules.keep(Rule::d4_own_members);
  if (rules.keep(Rule::d4_watermark) && may_be_purged && key <= state.lane.purged) return Verdict::unknown;
  const bool moved = (unit.adopted && !rules.keep(Rule::k_without_label)) || unit.key_changed;
  if (unit.row && !moved) return Verdict::committed;
  if (unit.tombstone) return rules.keep(Rule::d2_read_row_after_conflict) ? Verdict::aborted : Verdict::committed;
  unit.tombstone = true;
  return Verdict::aborted;
}

void d2_tombstone(const State& state, int p, int u, Moves& moves) {
  const Settings& settings = moves.settings;
  const Process& mine = state.processes[p];
  if (mine.is[u] != Member::doubtful || state.units[u].decision == Decision::in_flight) return;
  if (lane_is_locked(state, settings)) return;
  if (!is_member(mine, u) && mine.phase != Phase::lost && mine.phase != Phase::open) return;  // only without D1
  State probe = state;
  const Verdict verdict = insert_tombstone(probe, u, settings.rules, is_mine(state, p));
  if (verdict == Verdict::unknown) return;
  const bool committed = verdict == Verdict::committed;
  const Byte process = static_cast<Byte>(p);
  const Byte unit = static_cast<Byte>(u);
  State& next = moves.to(state, {"d2_tombstone", process, unit, committed ? "conflict: committed" : "aborted"});
  next.units[u] = probe.units[u];
  decided(next, p, u, committed, settings);
  if (probe.units[u].tombstone == state.units[u].tombstone) return;
  if (State* lost = moves.fault(state, {"d2_tombstone", process, unit, "inserted, but the reply is lost"})) {
    lost->units[u] = probe.units[u];
  }
}

}  // namespace

// D2, D4: a caller who left with `in_doubt` asks once more, from a process that knows nothing of the unit.
void ask_moves(const State& state, Moves& moves) {
  for (int u = 0; u < moves.settings.bounds.units; ++u) {
    const Unit& unit = state.units[u];
    if (!unit.told_in_doubt || unit.asked || unit.decision == Decision::in_flight) continue;
    if (lane_is_locked(state, moves.settings)) continue;
    State probe = state;
    const Verdict verdict = insert_tombstone(probe, u, moves.settings.rules, false);
    State& next = moves.to(state, {"d2_ask", nobody, static_cast<Byte>(u),
                                   verdict == Verdict::unknown     ? "in doubt, too old"
                                   : verdict == Verdict::committed ? "conflict: committed"
                                                                   : "aborted"});
    next.units[u] = probe.units[u];
    next.units[u].asked = true;
    if (verdict != Verdict::unknown) check_report(next, u, verdict == Verdict::committed);
  }
}

void unit_moves(const State& state, int process, Moves& moves) {
  c2_join(state, process, moves);
  for (int unit = 0; unit < moves.settings.bounds.units; ++unit) {
    c3_insert(state, process, unit, moves);
    c4_withdraw(state, process, unit, moves);
    c5_commit(state, process, unit, moves);
    c5_reply(state, process, unit, moves);
    d2_end_session(state, process, unit, moves);
    d2_tombstone(state, process, unit, moves);
  }
}

}  // namespace write_aside::model
