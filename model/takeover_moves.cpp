// T: a process takes the lane. Also how it dies.
#include <algorithm>
#include <numeric>

#include "invariants.hpp"
#include "lane.hpp"
#include "moves.hpp"
#include "stream.hpp"

namespace write_aside::model {

namespace {

bool has_live_owner(const State& state) {
  for (int p = 0; p < processes_max; ++p) {
    const Phase phase = state.processes[p].phase;
    if (phase != Phase::idle && phase != Phase::lost && is_mine(state, p)) return true;
  }
  return false;
}

// T1. Of a live owner too: no clock is to be relied on.
void t1_own(const State& state, int p, Moves& moves) {
  if (state.processes[p].phase != Phase::idle || lane_is_locked(state, moves.settings)) return;
  const Byte process = static_cast<Byte>(p);
  const bool live = has_live_owner(state);
  State* next = live ? moves.fault(state, {"t1_own", process, nobody, "takes the lane of a live owner"})
                     : &moves.to(state, {"t1_own", process, nobody, "takes the lane"});
  if (next == nullptr) return;
  if (moves.settings.rules.keep(Rule::t1_epoch_goes_up)) ++next->lane.epoch;
  next->lane.owner = process;
  Process& mine = next->processes[p];
  mine.epoch = next->lane.epoch;
  mine.phase = moves.settings.rules.keep(Rule::t2_fence) ? Phase::t2 : Phase::t3;
}

void t2_fence(const State& state, int p, Moves& moves) {
  if (state.processes[p].phase != Phase::t2) return;
  State& next = moves.to(state, {"t2_fence", static_cast<Byte>(p), nobody, "a new instance"});
  initialise_producer(next, p, moves.settings);
  next.processes[p].phase = Phase::t3;
}

void read_ledger(State& state, int p, const LedgerRecord& ledger, const Rules& rules) {
  Process& mine = state.processes[p];
  if (!rules.keep(Rule::t4_halt_behind_mine) && ledger.batch.epoch >= mine.epoch) check_halt(state);
  mine.ledger = ledger;
  mine.phase = Phase::t4;
}

void t3_read(const State& state, int p, Moves& moves) {
  if (state.processes[p].phase != Phase::t3) return;
  const Rules& rules = moves.settings.rules;
  const Byte process = static_cast<Byte>(p);
  if (state.stream.holder != p && rules.keep(Rule::t2_fence)) {
    // The fence is refused: the lane is released, and taken again from the start.
    forget_everything(moves.to(state, {"t3_read", process, nobody, "fenced: gives up"}).processes[p]);
    return;
  }
  read_ledger(moves.to(state, {"t3_read", process, nobody, "S"}), p, state.stream.last, rules);
  const bool stale = state.stream.last.batch != state.stream.last_but_one.batch;
  if (rules.keep(Rule::t3_fence) || !stale) return;
  read_ledger(moves.to(state, {"t3_read", process, nobody, "an older S"}), p, state.stream.last_but_one, rules);
}

bool has_reason_to_halt(const State& state, const LedgerRecord& ledger) {
  const Batch settled = state.lane.settled;
  if (ledger.batch.epoch == 0) return settled.epoch != 0;
  if (ledger.batch.epoch >= state.lane.epoch || ledger.batch < settled) return true;
  return ledger.batch > settled && !state.units[ledger.first].row;
}

// The order in which T5 produces and W adopts: that of the primary key. Without the rule: label first.
std::array<Byte, 6> sort_key(const Unit& unit, bool by_key) {
  if (by_key) return {unit.key.epoch, unit.key.n, unit.member};
  return {unit.label.epoch, unit.label.n, unit.member, unit.key.epoch, unit.key.n};
}

struct Adopted {
  std::array<Byte, units_max> units = {};
  Byte count = 0;
};

// T4's statements, with the lane row locked. Returns what T5 is to produce.
Adopted adopt(State& state, Byte epoch, const LedgerRecord& ledger, const Settings& settings) {
  const Rules& rules = settings.rules;
  if (rules.keep(Rule::t4_halts) && has_reason_to_halt(state, ledger)) check_halt(state);
  Adopted adopted;
  std::array<int, units_max> order = {};
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int left, int right) {
    const bool by_key = rules.keep(Rule::t5_key_order);
    return sort_key(state.units[left], by_key) < sort_key(state.units[right], by_key);
  });
  for (const int u : order) {
    Unit& unit = state.units[u];
    if (!is_undelivered(unit, settings)) continue;
    const bool covered = (unit.label.epoch == ledger.batch.epoch && unit.label.n <= ledger.batch.n) ||
                         (unit.label.epoch < ledger.batch.epoch && !rules.keep(Rule::t4_cover_one_epoch));
    if (covered) {
      if (!rules.keep(Rule::t4_deliver_covered)) continue;
      check_row_gone(state, u);
      unit.delivered = true;
      continue;
    }
    const bool mine_before = unit.adopted && unit.label == Batch{epoch, 1};
    const bool below = rules.keep(Rule::t4_label_below_mine) ? unit.label.epoch < epoch : unit.label.epoch != epoch;
    if (below) {
      unit.label = {epoch, 1};
      unit.adopted = true;
    }
    if (below || (mine_before && rules.keep(Rule::t5_every_labelled_row))) {
      adopted.units[adopted.count++] = static_cast<Byte>(u);
    }
  }
  if (ledger.batch.epoch != 0) state.lane.settled = ledger.batch;
  return adopted;
}

// T5: what was adopted is carried into batch 1 (b3_carry) before anybody may join.
void open_lane(State& state, int p, const Adopted& adopted, const Settings& settings) {
  Process& mine = state.processes[p];
  mine.phase = Phase::open;
  mine.ledger = {};
  for (int i = 0; i < adopted.count; ++i) add_member(mine, adopted.units[i], Member::committed);
  if (!settings.rules.keep(Rule::t2_fence)) state.stream.holder = static_cast<Byte>(p);
}

void t4_adopt(const State& state, int p, Moves& moves) {
  const Settings& settings = moves.settings;
  const Process& mine = state.processes[p];
  if (mine.phase != Phase::t4 || lane_is_locked(state, settings)) return;
  const Byte process = static_cast<Byte>(p);
  if (!is_mine(state, p) && settings.rules.keep(Rule::t4_mine)) {
    forget_everything(moves.to(state, {"t4_adopt", process, nobody, "not mine: leaves"}).processes[p]);
    return;
  }
  State& next = moves.to(state, {"t4_adopt", process, nobody, "delivers what S covers, adopts the rest"});
  const Adopted adopted = adopt(next, mine.epoch, mine.ledger, settings);
  open_lane(next, p, adopted, settings);
  const bool known = settings.rules.keep(Rule::t5_adoption_known);
  if (State* lost = moves.fault(state, {"t4_adopt", process, nobody, "lands, but is not answered"})) {
    (void)adopt(*lost, mine.epoch, mine.ledger, settings);
  }
  if (known && settings.rules.keep(Rule::t4_reply_to_each_statement)) return;
  State* lost = moves.fault(state, {"t4_adopt", process, nobody,
                                    known ? "not answered, its session is left behind" : "lost, but taken for done"});
  if (lost == nullptr) return;
  if (known) {
    lost->processes[p].left_behind = mine.epoch;
    lost->processes[p].left_behind_ledger = mine.ledger;
  } else {
    State probe = state;
    open_lane(*lost, p, adopt(probe, mine.epoch, mine.ledger, settings), settings);
  }
}

// A mutant's: the statements of a session that was given up run now.
void t4_left_behind(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (mine.left_behind == 0) return;
  State& next = moves.to(state, {"t4_left_behind", static_cast<Byte>(p), nobody, "runs now"});
  if (state.lane.epoch == mine.left_behind && state.lane.owner == p) {
    (void)adopt(next, mine.left_behind, mine.left_behind_ledger, moves.settings);
  }
  next.processes[p].left_behind = 0;
  next.processes[p].left_behind_ledger = {};
}

void crash(const State& state, int p, Moves& moves) {
  if (state.processes[p].phase == Phase::idle) return;
  State* next = moves.fault(state, {"crash", static_cast<Byte>(p), nobody, ""});
  if (next == nullptr) return;
  for (int u = 0; u < units_max; ++u) {
    if (is_open(state.processes[p].is[u])) roll_back(*next, u);
  }
  forget_everything(next->processes[p]);
}

}  // namespace

void takeover_moves(const State& state, int process, Moves& moves) {
  t1_own(state, process, moves);
  t2_fence(state, process, moves);
  t3_read(state, process, moves);
  t4_adopt(state, process, moves);
  t4_left_behind(state, process, moves);
  crash(state, process, moves);
}

}  // namespace write_aside::model
