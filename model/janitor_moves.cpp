// J: clears away the rows of settled batches. D4: the purge.
#include <algorithm>

#include "invariants.hpp"
#include "lane.hpp"
#include "moves.hpp"

namespace write_aside::model {

namespace {

bool is_owed(const Process& mine, int u) { return mine.is[u] == Member::settled || mine.is[u] == Member::clearing; }

void mark_delivered(State& state, int u) {
  check_row_gone(state, u);
  state.units[u].delivered = true;
}

void delete_row(State& state, int u) {
  check_row_gone(state, u);
  state.units[u].row = false;
}

// The statements of the janitor's transaction, in its order. Returns the number of rows that they touched.
int clear_rows(State& state, int p, const Rules& rules) {
  const Process& mine = state.processes[p];
  int touched = 0;
  for (int u = 0; u < units_max; ++u) {
    const Unit& unit = state.units[u];
    const bool keep = unit.told_in_doubt && !unit.adopted && rules.keep(Rule::d4_keep_row_in_doubt);
    if (!is_owed(mine, u) || !keep || !unit.undelivered()) continue;
    mark_delivered(state, u);
    ++touched;
  }
  for (int u = 0; u < units_max; ++u) {
    const Unit& unit = state.units[u];
    const bool epoch = unit.key.epoch == mine.epoch || (unit.key.epoch < mine.epoch && !rules.keep(Rule::j_own_epoch));
    const bool adopted = unit.adopted && rules.keep(Rule::j_never_adopted);
    if (!unit.undelivered() || !epoch || unit.key.n > mine.settled || adopted) continue;
    delete_row(state, u);
    ++touched;
  }
  for (int u = 0; u < units_max; ++u) {
    const Unit& unit = state.units[u];
    if (!unit.undelivered() || unit.label.epoch != mine.epoch || unit.label.n > mine.settled) continue;
    mark_delivered(state, u);
    ++touched;
  }
  return touched;
}

// What a transaction that was not answered has done, if it landed, is not done again.
void take_note_of_earlier(State& state, int p) {
  Process& mine = state.processes[p];
  if (mine.unanswered_janitor == 0) return;
  const bool landed = state.lane.settled >= Batch{mine.epoch, mine.unanswered_janitor};
  for (Member& member : mine.is) {
    if (member == Member::clearing) member = landed ? Member::none : Member::settled;
  }
  mine.unanswered_janitor = 0;
}

void clear(State& state, int p, const Settings& settings) {
  Process& mine = state.processes[p];
  const auto owed = std::count(mine.is.begin(), mine.is.end(), Member::settled);
  const int touched = clear_rows(state, p, settings.rules);
  if (touched != owed && settings.rules.keep(Rule::j_count) && is_mine(state, p)) check_halt(state);
  state.lane.settled = {mine.epoch, mine.settled};
}

void j_janitor(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  const bool owned = mine.phase >= Phase::open && mine.phase <= Phase::recovering_ledger;
  if (!owned || lane_is_locked(state, moves.settings)) return;
  const Byte process = static_cast<Byte>(p);
  if (!is_mine(state, p)) {
    // The heartbeat finds out as well.
    lose_lane(moves.to(state, {"b5_lose_lane", process, nobody, "the heartbeat finds another owner"}), p);
    if (moves.settings.rules.keep(Rule::j_mine)) return;
  }
  bool owes = false;
  for (int u = 0; u < units_max; ++u) owes = owes || is_owed(mine, u);
  if (!owes) return;
  State cleared = state;
  take_note_of_earlier(cleared, p);
  const Process& now = cleared.processes[p];
  if (std::count(now.is.begin(), now.is.end(), Member::settled) != 0) clear(cleared, p, moves.settings);

  State& next = moves.to(state, {"j_janitor", process, nobody, "clears what is settled"});
  next = cleared;
  for (Member& member : next.processes[p].is) {
    if (member == Member::settled) member = Member::none;
  }
  for (const bool landed : {true, false}) {
    const char* effect = landed ? "lands, but is not answered" : "is lost and not answered";
    State* lost = moves.fault(state, {"j_janitor", process, nobody, effect});
    if (lost == nullptr) return;
    const Byte faults_left = lost->faults_left;
    if (landed) *lost = cleared;
    lost->faults_left = faults_left;
    if (!landed) take_note_of_earlier(*lost, p);
    lost->processes[p].unanswered_janitor = mine.settled;
    for (Member& member : lost->processes[p].is) {
      if (member == Member::settled) member = Member::clearing;
    }
  }
}

// D4: the retention is over.
void d4_purge(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (mine.phase != Phase::open || !is_mine(state, p) || lane_is_locked(state, moves.settings)) return;
  const auto old = [](const Unit& unit) { return (unit.row && unit.delivered) || unit.tombstone; };
  if (std::none_of(state.units.begin(), state.units.end(), old)) return;
  State* next = moves.fault(state, {"d4_purge", static_cast<Byte>(p), nobody, "the retention is over"});
  if (next == nullptr) return;
  for (Unit& unit : next->units) {
    if (!old(unit)) continue;
    next->lane.purged = std::max(next->lane.purged, unit.key);
    unit.row = unit.tombstone = false;
  }
}

}  // namespace

void janitor_moves(const State& state, int process, Moves& moves) {
  j_janitor(state, process, moves);
  d4_purge(state, process, moves);
}

}  // namespace write_aside::model
