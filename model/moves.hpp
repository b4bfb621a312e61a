// Everything that can happen next.
#pragma once

#include <vector>

#include "rules.hpp"
#include "state.hpp"

namespace write_aside::model {

// What happened, for a trace.
struct Move {
  const char* rule = "";  // the transition, named as the rule and the code are
  Byte process = nobody;
  Byte unit = nobody;
  const char* effect = "";
};

// Collects the successors of a state.
class Moves {
 public:
  explicit Moves(const Settings& bounds_and_rules) : settings(bounds_and_rules) {}

  // The caller changes what it is given; that holds until the next call.
  State& to(const State& from, Move move) {
    moves_.push_back(move);
    return states_.emplace_back(from);
  }
  // The same for a fault, of which a run has only so many. Null: there was the last one already.
  [[nodiscard]] State* fault(const State& from, Move move) {
    if (from.faults_left == 0) return nullptr;
    State& next = to(from, move);
    --next.faults_left;
    return &next;
  }
  void clear() {
    states_.clear();
    moves_.clear();
  }
  [[nodiscard]] const std::vector<State>& states() const { return states_; }
  [[nodiscard]] std::vector<State>& states() { return states_; }
  [[nodiscard]] const Move& move(std::size_t i) const { return moves_[i]; }

  const Settings& settings;

 private:
  std::vector<State> states_;
  std::vector<Move> moves_;
};

// Fills `moves` with the successors of `state`; none if it is a violation.
void list_moves(const State& state, Moves& moves);

// The parts, each for one process.
void unit_moves(const State& state, int process, Moves& moves);      // C, D
void batch_moves(const State& state, int process, Moves& moves);     // B
void janitor_moves(const State& state, int process, Moves& moves);   // J
void takeover_moves(const State& state, int process, Moves& moves);  // T
void sweep_moves(const State& state, int process, Moves& moves);     // W
// A caller who was told `in_doubt` asks again.
void ask_moves(const State& state, Moves& moves);
// What the two stores do by themselves.
void store_moves(const State& state, Moves& moves);

}  // namespace write_aside::model
