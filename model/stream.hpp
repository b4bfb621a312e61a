// What the stream does with the lane's transactional id; the worst that Kafka allows.
#pragma once

#include "rules.hpp"
#include "state.hpp"

namespace write_aside::model {

// The client would be told to try again: the last transaction is committed and not yet complete.
[[nodiscard]] bool is_completing(const State& state, int process);

// A new instance of `process`: fences every older one and completes or aborts what is open.
void initialise_producer(State& state, int process, const Settings& settings);

// The first production of a batch writes S as well. False: refused, the instance is fenced.
[[nodiscard]] bool produce_ledger_record(State& state, int process, int first);
[[nodiscard]] bool produce_event(State& state, int process, int unit);

// An end request arrives. False: refused.
bool end_stream_transaction(State& state, int process, Ending ending);

void abort_stream_transaction(State& state);
void complete_commit(State& state, const Settings& settings);
// The coordinator's time is up: it aborts and fences.
void time_out_stream_transaction(State& state);

}  // namespace write_aside::model
