#include "lane.hpp"

#include <algorithm>

#include "invariants.hpp"
#include "stream.hpp"

namespace write_aside::model {

bool is_mine(const State& state, int process) {
  return state.lane.owner == process && state.lane.epoch == state.processes[process].epoch;
}

bool lane_is_locked(const State& state, const Settings& settings) {
  return settings.rules.keep(Rule::w_lane_lock) &&
         std::any_of(state.processes.begin(), state.processes.end(),
                     [](const Process& process) { return process.adoption == Adoption::in_flight; });
}

bool is_undelivered(const Unit& unit, const Settings& settings) {
  const bool looks_like_a_row = unit.tombstone && !settings.rules.keep(Rule::d2_tombstone_is_delivered);
  return (unit.row || looks_like_a_row) && !unit.delivered;
}

bool has_undelivered_below(const State& state, Byte epoch, const Settings& settings) {
  return std::any_of(state.units.begin(), state.units.end(),
                     [&](const Unit& unit) { return is_undelivered(unit, settings) && unit.label.epoch < epoch; });
}

bool is_member(const Process& process, int unit) {
  const auto end = process.members.begin() + process.count;
  return std::find(process.members.begin(), end, unit) != end;
}

bool is_being_adopted(const Process& process, int unit) {
  return process.is[unit] == Member::adopting || process.is[unit] == Member::adoption_doubtful;
}

bool waits_for_evidence(const Process& process) {
  return std::any_of(process.members.begin(), process.members.begin() + process.count, [&process](int unit) {
    return process.is[unit] == Member::doubtful || is_being_adopted(process, unit);
  });
}

namespace {

// The open batch takes members. Carried ones are produced first (B3, T5).
bool takes_members(const State& state, int process) {
  const Process& mine = state.processes[process];
  if (mine.phase != Phase::open || is_completing(state, process)) return false;
  return mine.transaction == ClientTransaction::closed ? mine.count == 0 : !mine.broken;
}

}  // namespace

bool is_open(Member is) { return is == Member::unwritten || is == Member::joined; }

bool may_adopt(const State& state, int process, const Settings& settings) {
  const Process& mine = state.processes[process];
  if (!takes_members(state, process) || waits_for_evidence(mine)) return false;
  const bool past_joined = settings.order != Order::over_owners || !settings.rules.keep(Rule::w_not_past_joined);
  return past_joined || std::none_of(mine.is.begin(), mine.is.end(), is_open);
}

bool may_join(const State& state, int process, const Settings& settings) {
  if (!takes_members(state, process)) return false;
  const Process& mine = state.processes[process];
  return std::none_of(mine.members.begin(), mine.members.begin() + mine.count, [&](int unit) {
    return (mine.is[unit] == Member::doubtful && settings.rules.keep(Rule::d1_nobody_joins)) ||
           (is_being_adopted(mine, unit) && settings.rules.keep(Rule::w_nobody_joins));
  });
}

void add_member(Process& process, int unit, Member as) {
  process.members[process.count++] = static_cast<Byte>(unit);
  process.is[unit] = as;
}

void remove_member(Process& process, int unit) {
  const auto end = process.members.begin() + process.count;
  const auto kept = std::remove(process.members.begin(), end, unit);
  process.count = static_cast<Byte>(kept - process.members.begin());
  std::fill(kept, process.members.end(), Byte{0});
}

void leave_batch(Process& process, int unit, const Settings& settings) {
  if (is_member(process, unit) && process.transaction != ClientTransaction::closed &&
      settings.rules.keep(Rule::b3_abort_broken_batch)) {
    process.broken = true;
  }
  process.is[unit] = Member::none;
  remove_member(process, unit);
}

void begin_batch(Process& process, const Settings& settings) {
  if (process.n == 0 || settings.rules.keep(Rule::b3_number_used_once)) ++process.n;
  process.transaction = ClientTransaction::begun;
  process.broken = false;
}

bool produce(State& state, int process, int unit, const Settings& settings) {
  Process& writer = state.processes[process];
  const bool first = writer.transaction == ClientTransaction::begun;
  if ((!first || produce_ledger_record(state, process, writer.members[0])) && produce_event(state, process, unit)) {
    writer.transaction = ClientTransaction::produced;
    return true;
  }
  distrust_producer(writer, settings);
  return false;
}

void close_transaction(Process& process) {
  process.transaction = ClientTransaction::closed;
  process.broken = false;
  process.ending = Ending::none;
  process.reply = Reply::none;
  process.sent_twice = false;
}

void distrust_producer(Process& process, const Settings& settings) {
  process.ending = Ending::none;
  process.reply = Reply::none;
  process.sent_twice = false;
  process.broken = false;  // no longer asked
  if (!settings.rules.keep(Rule::b4_destroy_instance)) {
    process.phase = Phase::open;
    process.transaction = ClientTransaction::closed;
  } else if (settings.rules.keep(Rule::b4_initialise_before_lane_row)) {
    process.phase = Phase::recovering_producer;
  } else {
    process.phase = Phase::recovering_lane_row;
  }
}

void settle_batch(Process& process) {
  process.settled = process.n;
  const std::array<Byte, units_max> members = process.members;
  const int count = process.count;
  for (int i = 0; i < count; ++i) {
    const int unit = members[i];
    if (process.is[unit] != Member::committed) continue;
    process.is[unit] = Member::settled;
    remove_member(process, unit);
  }
}

void roll_back(State& state, int unit) { state.units[unit].decision = Decision::rolled_back; }

void lose_lane(State& state, int process) {
  Process& mine = state.processes[process];
  const std::array<Member, units_max> were = mine.is;
  forget_everything(mine);
  mine.phase = Phase::lost;
  for (int unit = 0; unit < units_max; ++unit) {
    if (were[unit] == Member::sent || were[unit] == Member::doubtful) mine.is[unit] = were[unit];
    if (!is_open(were[unit])) continue;
    roll_back(state, unit);
    check_report(state, unit, false);
  }
}

void forget_everything(Process& process) {
  const Process before = process;
  process = {};
  process.request = before.request;
  process.copy = before.copy;
  process.left_behind = before.left_behind;
  process.left_behind_ledger = before.left_behind_ledger;
  if (before.adoption != Adoption::in_flight) return;
  process.adoption = before.adoption;
  process.adopted_unit = before.adopted_unit;
  process.adoption_label = before.adoption_label;
}

}  // namespace write_aside::model
