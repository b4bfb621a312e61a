#include "stream.hpp"

#include "invariants.hpp"

namespace write_aside::model {

namespace {

void clear_transaction(Stream& stream) {
  stream.transaction = StreamTransaction::none;
  stream.pending = {};
  stream.count = 0;
  stream.contents = {};
}

// Requests under way carry the number of an instance; an older one is refused.
void refuse_requests(State& state) {
  for (Process& process : state.processes) {
    if (process.request != Ending::none && process.ending != Ending::none) process.reply = Reply::refused;
    process.request = process.copy = Ending::none;
  }
}

}  // namespace

bool is_completing(const State& state, int process) {
  return state.stream.holder == process && state.stream.transaction == StreamTransaction::prepared;
}

void initialise_producer(State& state, int process, const Settings& settings) {
  if (state.stream.transaction == StreamTransaction::prepared) complete_commit(state, settings);
  abort_stream_transaction(state);
  refuse_requests(state);
  state.stream.holder = static_cast<Byte>(process);
}

bool produce_ledger_record(State& state, int process, int first) {
  if (state.stream.holder != process || is_completing(state, process)) return false;
  const Process& writer = state.processes[process];
  state.stream.transaction = StreamTransaction::open;
  state.stream.pending = {{writer.epoch, writer.n}, static_cast<Byte>(first)};
  return true;
}

bool produce_event(State& state, int process, int unit) {
  Stream& stream = state.stream;
  if (stream.holder != process || is_completing(state, process) || stream.count == contents_max) return false;
  // If a late copy of an end request has ended the transaction, the first record for another partition begins a new
  // one, behind the client's back and without S.
  stream.transaction = StreamTransaction::open;
  stream.contents[stream.count++] = static_cast<Byte>(unit);
  return true;
}

bool end_stream_transaction(State& state, int process, Ending ending) {
  if (state.stream.holder != process || state.stream.transaction != StreamTransaction::open) return false;
  if (ending == Ending::commit) {
    state.stream.transaction = StreamTransaction::prepared;
  } else {
    abort_stream_transaction(state);
  }
  return true;
}

void abort_stream_transaction(State& state) { clear_transaction(state.stream); }

void complete_commit(State& state, const Settings& settings) {
  Stream& stream = state.stream;
  for (int i = 0; i < stream.count; ++i) {
    const int unit = stream.contents[i];
    check_visible(state, unit, settings.order);
    stream.visible = static_cast<Byte>(stream.visible | (1u << unit));
  }
  if (stream.pending.batch.epoch != 0) {
    if (!settings.rules.keep(Rule::t3_fence)) stream.last_but_one = stream.last;
    stream.last = stream.pending;
  }
  clear_transaction(stream);
}

void time_out_stream_transaction(State& state) {
  abort_stream_transaction(state);
  refuse_requests(state);
  state.stream.holder = nobody;
}

}  // namespace write_aside::model
