// What the database and the stream do by themselves, and the list of all moves.
#include "lane.hpp"
#include "moves.hpp"
#include "stream.hpp"

namespace write_aside::model {

namespace {

bool somebody_waits(const State& state, int u) {
  for (const Process& process : state.processes) {
    if (process.is[u] == Member::sent || process.is[u] == Member::doubtful) return true;
  }
  return false;
}

// A COMMIT under way lands late, or fails, or is lost with its process.
void database_commit(const State& state, int u, Moves& moves) {
  if (state.units[u].decision != Decision::in_flight) return;
  const Byte unit = static_cast<Byte>(u);
  State& next = moves.to(state, {"database_commit", nobody, unit, "rows and journal row are there"});
  next.units[u].decision = Decision::committed;
  next.units[u].row = !state.units[u].journal_missing;
  const Move failed{"database_rollback", nobody, unit, "COMMIT fails"};
  State* aborted = somebody_waits(state, u) ? moves.fault(state, failed) : &moves.to(state, failed);
  if (aborted != nullptr) roll_back(*aborted, u);
}

void stream_end(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (mine.request == Ending::none) return;
  State& next = moves.to(state, {"stream_end", static_cast<Byte>(p), nobody,
                                 mine.request == Ending::commit ? "commit request arrives" : "abort request arrives"});
  const bool done = end_stream_transaction(next, p, mine.request);
  Process& sender = next.processes[p];
  sender.request = Ending::none;
  if (sender.ending != Ending::none) sender.reply = done ? Reply::success : Reply::refused;
}

void stream_end_copy(const State& state, int p, Moves& moves) {
  const Process& mine = state.processes[p];
  if (mine.copy == Ending::none) return;
  State& next = moves.to(state, {"stream_end_copy", static_cast<Byte>(p), nobody,
                                 mine.copy == Ending::commit ? "delayed commit arrives" : "delayed abort arrives"});
  (void)end_stream_transaction(next, p, mine.copy);
  next.processes[p].copy = Ending::none;
}

void stream_visible(const State& state, Moves& moves) {
  if (state.stream.transaction != StreamTransaction::prepared) return;
  complete_commit(moves.to(state, {"stream_visible", nobody, nobody, "S and events can be read"}), moves.settings);
}

void stream_time_out(const State& state, Moves& moves) {
  if (state.stream.transaction != StreamTransaction::open) return;
  State* next = moves.fault(state, {"stream_time_out", nobody, nobody, "aborts and fences"});
  if (next != nullptr) time_out_stream_transaction(*next);
}

}  // namespace

void store_moves(const State& state, Moves& moves) {
  for (int u = 0; u < moves.settings.bounds.units; ++u) database_commit(state, u, moves);
  for (int p = 0; p < moves.settings.bounds.processes; ++p) {
    stream_end(state, p, moves);
    stream_end_copy(state, p, moves);
  }
  stream_visible(state, moves);
  stream_time_out(state, moves);
}

void list_moves(const State& state, Moves& moves) {
  moves.clear();
  if (state.violation != Violation::none) return;
  for (int process = 0; process < moves.settings.bounds.processes; ++process) {
    unit_moves(state, process, moves);
    batch_moves(state, process, moves);
    janitor_moves(state, process, moves);
    sweep_moves(state, process, moves);
    takeover_moves(state, process, moves);
  }
  ask_moves(state, moves);
  store_moves(state, moves);
}

}  // namespace write_aside::model
