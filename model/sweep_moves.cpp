// W: late rows of earlier owners are adopted one by one.
#include "lane.hpp"
#include "moves.hpp"
#include "stream.hpp"

namespace write_aside::model {

namespace {

// The first in key order, which is the order of joining.
bool is_before(const Unit& left, const Unit& right) {
  return left.key < right.key || (left.key == right.key && left.member < right.member);
}

bool may_be_swept(const State& state, int p, int u, const Settings& settings) {
  const Process& mine = state.processes[p];
  const Unit& unit = state.units[u];
  return is_undelivered(unit, settings) && unit.label.epoch < mine.epoch && mine.is[u] == Member::none;
}

bool is_first(const State& state, int p, int u, const Settings& settings) {
  for (int other = 0; other < units_max; ++other) {
    if (other != u && may_be_swept(state, p, other, settings) && is_before(state.units[other], state.units[u])) {
      return false;
    }
  }
  return true;
}

void w_sweep(const State& state, int p, Moves& moves) {
  const Settings& settings = moves.settings;
  const Process& mine = state.processes[p];
  if (!settings.rules.keep(Rule::w_sweep) || mine.adoption != Adoption::none || !may_adopt(state, p, settings)) return;
  if (settings.rules.keep(Rule::w_lane_lock) && (lane_is_locked(state, settings) || !is_mine(state, p))) return;
  for (int u = 0; u < units_max; ++u) {
    if (!may_be_swept(state, p, u, settings)) continue;
    if (settings.rules.keep(Rule::w_key_order) && !is_first(state, p, u, settings)) continue;
    State& next = moves.to(state, {"w_sweep", static_cast<Byte>(p), static_cast<Byte>(u), "reserves a place"});
    Process& adopter = next.processes[p];
    if (adopter.transaction == ClientTransaction::closed) begin_batch(adopter, settings);
    add_member(adopter, u, Member::adopting);
    adopter.adoption = Adoption::in_flight;
    adopter.adopted_unit = static_cast<Byte>(u);
    adopter.adoption_label = {adopter.epoch, adopter.n};
  }
}

bool somebody_waits(const Process& process) {
  return process.adoption != Adoption::none && is_being_adopted(process, process.adopted_unit);
}

void forget_adoption(Process& process) {
  process.adoption = Adoption::none;
  process.adopted_unit = 0;
  process.adoption_label = {};
}

// The UPDATE and its COMMIT, or their loss.
void w_lands(const State& state, int p, Moves& moves) {
  const Settings& settings = moves.settings;
  const Process& mine = state.processes[p];
  if (mine.adoption != Adoption::in_flight) return;
  const Byte process = static_cast<Byte>(p);
  const int u = mine.adopted_unit;
  const Unit& row = state.units[u];
  const bool fits = row.label.epoch < mine.adoption_label.epoch && !row.delivered;
  const bool changes = fits || !settings.rules.keep(Rule::w_condition);
  const bool waits = somebody_waits(mine);
  {
    State& next = moves.to(state, {"w_lands", process, static_cast<Byte>(u),
                                   changes ? "the row has the new label" : "the row is no longer to be adopted"});
    if (changes) {
      next.units[u].label = mine.adoption_label;
      next.units[u].adopted = true;
    }
    next.processes[p].adoption = changes ? Adoption::changed : Adoption::unchanged;
    if (!waits) forget_adoption(next.processes[p]);
  }
  const Move lost{"w_fails", process, static_cast<Byte>(u), "the adoption did not take effect"};
  State* next = waits ? moves.fault(state, lost) : &moves.to(state, lost);
  if (next == nullptr) return;
  next->processes[p].adoption = Adoption::unchanged;
  if (!waits) forget_adoption(next->processes[p]);
}

// The answer comes, or the row tells.
void w_adopted(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (!somebody_waits(mine) || mine.adoption == Adoption::in_flight) return;
  if (is_completing(state, p)) return;
  const int u = mine.adopted_unit;
  const bool answered = mine.is[u] == Member::adopting;
  const bool changed = answered ? mine.adoption == Adoption::changed : state.units[u].label == mine.adoption_label;
  State& next = moves.to(state, {"w_adopted", static_cast<Byte>(p), static_cast<Byte>(u),
                                 changed ? "is a member" : "did not change the row"});
  Process& adopter = next.processes[p];
  forget_adoption(adopter);
  adopter.is[u] = changed ? Member::committed : Member::none;
  if (!changed) return remove_member(adopter, u);
  // If the stream transaction was aborted meanwhile, or is about to be, the next batch carries it.
  if (adopter.phase == Phase::open && adopter.transaction != ClientTransaction::closed) {
    (void)produce(next, p, u, moves.settings);
  }
}

void w_not_answered(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (!somebody_waits(mine) || mine.is[mine.adopted_unit] != Member::adopting) return;
  const int u = mine.adopted_unit;
  State* next = moves.fault(state, {"w_reply_lost", static_cast<Byte>(p), static_cast<Byte>(u), "in doubt"});
  if (next == nullptr) return;
  Process& adopter = next->processes[p];
  adopter.is[u] = Member::adoption_doubtful;
  if (moves.settings.rules.keep(Rule::w_doubt_blocks)) return;
  adopter.is[u] = Member::none;
  remove_member(adopter, u);
  if (adopter.adoption != Adoption::in_flight) forget_adoption(adopter);
}

}  // namespace

void sweep_moves(const State& state, int process, Moves& moves) {
  w_sweep(state, process, moves);
  w_lands(state, process, moves);
  w_adopted(state, process, moves);
  w_not_answered(state, process, moves);
}

}  // namespace write_aside::model
