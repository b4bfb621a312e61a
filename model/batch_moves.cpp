// B: batches end, break, are carried and recovered; the lane is lost. J: the janitor.
#include "invariants.hpp"
#include "lane.hpp"
#include "moves.hpp"
#include "stream.hpp"

namespace write_aside::model {

namespace {

// B2. Without the rule a batch is committed as soon as it has a member.
bool may_commit(const Process& mine, const Rules& rules) {
  if (mine.transaction != ClientTransaction::produced || mine.broken || mine.count == 0) return false;
  for (int i = 0; i < mine.count && rules.keep(Rule::b2_all_members_decided); ++i) {
    if (mine.is[mine.members[i]] != Member::committed) return false;
  }
  return true;
}

void send_end(State& state, int p, Ending ending) {
  Process& mine = state.processes[p];
  mine.phase = Phase::ending;
  mine.ending = mine.request = ending;
  mine.reply = Reply::none;
}

void b2_commit(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (mine.phase != Phase::open || !may_commit(mine, moves.settings.rules)) return;
  send_end(moves.to(state, {"b2_commit", static_cast<Byte>(p), nobody, "end request sent"}), p, Ending::commit);
}

void b3_abort(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (mine.phase != Phase::open || mine.transaction == ClientTransaction::closed) return;
  if (mine.transaction == ClientTransaction::begun && mine.count == 0) {
    // Nothing was produced: no request is needed.
    State& next = moves.to(state, {"b3_abort", static_cast<Byte>(p), nobody, "an empty batch"});
    close_transaction(next.processes[p]);
    return;
  }
  if (!mine.broken && mine.count > 0) return;
  send_end(moves.to(state, {"b3_abort", static_cast<Byte>(p), nobody, "end request sent"}), p, Ending::abort);
}

// B3, D1: the stream transaction grew old, or the bounded wait for somebody in doubt is over.
void b3_grow_old(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (mine.phase != Phase::open || mine.transaction == ClientTransaction::closed || mine.broken) return;
  State* next = moves.fault(state, {"b3_grow_old", static_cast<Byte>(p), nobody, "to be aborted"});
  if (next != nullptr) next->processes[p].broken = true;
}

void change_key(State& state, int p, int u) {
  Unit& unit = state.units[u];
  unit.key = unit.label = {state.processes[p].epoch, state.processes[p].n};
  unit.key_changed = true;
}

// B3, T5: the members of the batch before, or those that T4 adopted, are produced first.
void b3_carry(const State& state, int p, Moves& moves) {
  const Settings& settings = moves.settings;
  const Process& mine = state.processes[p];
  if (mine.phase != Phase::open || mine.transaction != ClientTransaction::closed || mine.count == 0) return;
  if (waits_for_evidence(mine) || is_completing(state, p)) return;
  State& next = moves.to(state, {"b3_carry", static_cast<Byte>(p), nobody, "produced first in the next batch"});
  begin_batch(next.processes[p], settings);
  const std::array<Byte, units_max> members = mine.members;
  for (int i = 0; i < mine.count; ++i) {
    const bool in_order = settings.rules.keep(Rule::b3_carry_in_join_order);
    const int u = members[in_order ? i : mine.count - 1 - i];
    if (mine.is[u] == Member::joined && !settings.rules.keep(Rule::k_never_changes)) change_key(next, p, u);
    if (!produce(next, p, u, settings)) return;
  }
}

void drop_members(Process& mine, Member state) {
  for (int u = 0; u < units_max; ++u) {
    if (mine.is[u] != state || !is_member(mine, u)) continue;
    remove_member(mine, u);
    if (state == Member::committed) mine.is[u] = Member::none;
  }
}

// The stream transaction is gone; its members go on into the next one.
void carry_members(Process& mine, const Rules& rules) {
  mine.phase = Phase::open;
  close_transaction(mine);
  if (!rules.keep(Rule::b3_carry_the_rest)) drop_members(mine, Member::committed);
  if (!rules.keep(Rule::d1_doubtful_stays_member)) drop_members(mine, Member::doubtful);
}

void b2_b3_ended(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (mine.phase != Phase::ending || mine.reply == Reply::none) return;
  const bool commit = mine.ending == Ending::commit;
  const Rule one_request = commit ? Rule::b4_one_commit_request : Rule::b4_one_abort_request;
  const bool once = !mine.sent_twice || !moves.settings.rules.keep(one_request);
  const Byte process = static_cast<Byte>(p);
  if (mine.reply == Reply::refused || !once) {
    State& next = moves.to(state, {"b4_distrust", process, nobody, "the end was not clean"});
    distrust_producer(next.processes[p], moves.settings);
    return;
  }
  State& next = moves.to(state, {commit ? "b2_settled" : "b3_aborted", process, nobody, "a clean end"});
  if (commit) settle_batch(next.processes[p]);
  carry_members(next.processes[p], moves.settings.rules);
}

void b4_no_answer(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (mine.phase != Phase::ending || mine.reply == Reply::refused) return;
  const bool under_way = mine.request != Ending::none;
  State* next = moves.fault(state, {"b4_distrust", static_cast<Byte>(p), nobody,
                                    under_way ? "no answer, the request is still under way" : "the answer is lost"});
  if (next != nullptr) distrust_producer(next->processes[p], moves.settings);
}

void b4_delivery_failed(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (mine.phase != Phase::open || mine.transaction != ClientTransaction::produced) return;
  State* next = moves.fault(state, {"b4_distrust", static_cast<Byte>(p), nobody, "a delivery failed"});
  if (next != nullptr) distrust_producer(next->processes[p], moves.settings);
}

// KAFKA-17754: the client repeats its request, and the first copy arrives later, whenever it likes.
void b4_send_twice(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (mine.phase != Phase::ending || mine.request == Ending::none || mine.sent_twice) return;
  State* next = moves.fault(state, {"b4_send_twice", static_cast<Byte>(p), nobody, "the first request is delayed"});
  if (next == nullptr) return;
  next->processes[p].sent_twice = true;
  next->processes[p].copy = mine.ending;
}

void b4_initialise(const State& state, int p, Moves& moves) {
  if (state.processes[p].phase != Phase::recovering_producer) return;
  const Rules& rules = moves.settings.rules;
  State& next = moves.to(state, {"b4_initialise", static_cast<Byte>(p), nobody, "a new instance"});
  initialise_producer(next, p, moves.settings);
  const bool look = rules.keep(Rule::b4_read_lane_row) && rules.keep(Rule::b4_initialise_before_lane_row);
  next.processes[p].phase = look ? Phase::recovering_lane_row : Phase::recovering_ledger;
}

void b4_read_lane_row(const State& state, int p, Moves& moves) {
  if (state.processes[p].phase != Phase::recovering_lane_row) return;
  const Byte process = static_cast<Byte>(p);
  if (!is_mine(state, p)) return lose_lane(moves.to(state, {"b5_lose_lane", process, nobody, "not mine"}), p);
  State& next = moves.to(state, {"b4_read_lane_row", process, nobody, "still mine"});
  const bool initialised = moves.settings.rules.keep(Rule::b4_initialise_before_lane_row);
  next.processes[p].phase = initialised ? Phase::recovering_ledger : Phase::recovering_producer;
}

// B4, last part: fence and read. The fence is committed only by an instance that nobody has fenced.
void b4_read_ledger(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (mine.phase != Phase::recovering_ledger) return;
  const Rules& rules = moves.settings.rules;
  const Byte process = static_cast<Byte>(p);
  if (state.stream.holder != p) {
    State& next = moves.to(state, {"b4_read_ledger", process, nobody, "fenced: begins again"});
    distrust_producer(next.processes[p], moves.settings);
    return;
  }
  const Batch last = state.stream.last.batch;
  if (last.epoch > mine.epoch || (mine.settled != 0 && last < Batch{mine.epoch, mine.settled})) {
    State& next = moves.to(state, {"b4_read_ledger", process, nobody, "a reason to halt"});
    if (is_mine(state, p) && rules.keep(Rule::t4_halts)) check_halt(next);  // not mine: the lane row refuses it
    return lose_lane(next, p);
  }
  const bool covered = mine.transaction != ClientTransaction::closed && last == Batch{mine.epoch, mine.n} &&
                       rules.keep(Rule::b4_ledger_decides);
  State& next =
      moves.to(state, {"b4_read_ledger", process, nobody, covered ? "S covers the batch: settled" : "not covered"});
  if (covered) settle_batch(next.processes[p]);
  carry_members(next.processes[p], rules);
}

}  // namespace

void batch_moves(const State& state, int process, Moves& moves) {
  b2_commit(state, process, moves);
  b3_abort(state, process, moves);
  b3_grow_old(state, process, moves);
  b3_carry(state, process, moves);
  b2_b3_ended(state, process, moves);
  b4_no_answer(state, process, moves);
  b4_delivery_failed(state, process, moves);
  b4_send_twice(state, process, moves);
  b4_initialise(state, process, moves);
  b4_read_lane_row(state, process, moves);
  b4_read_ledger(state, process, moves);
}

}  // namespace write_aside::model
