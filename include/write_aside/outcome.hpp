// What became of a unit of work. There are three outcomes and no fourth.
//
//   committed  the rows are in the database for good, and the events are or will be in the stream, once.
//   aborted    neither rows nor events took effect, and they never will.
//   in_doubt   nobody knows yet. Ask later, from any process, with Coordinator::resolve(*outcome.unit()).
//              Running the work again before that would risk doing it twice.
//
// At the lower guarantee levels the same words hold for the rows; what may be wrong with the events is in
// error(): an orphan event (`aborted`), or a lost one (`committed` with an error).
//
// Ignoring an Outcome is a compiler warning. Plain data.
//
//   switch (outcome.state()) {
//     case Outcome::State::committed: …  case Outcome::State::aborted: …  case Outcome::State::in_doubt: …
//   }
#pragma once

#include <optional>
#include <utility>

#include "write_aside/error.hpp"
#include "write_aside/unit_id.hpp"

namespace write_aside {

class [[nodiscard]] Outcome {
 public:
  enum class State { committed, aborted, in_doubt };

  static Outcome committed(std::optional<UnitId> unit = {}, std::optional<Error> warning = {}) {
    return {State::committed, unit, std::move(warning)};
  }
  static Outcome aborted(Error error) { return {State::aborted, {}, std::move(error)}; }
  static Outcome in_doubt(std::optional<UnitId> unit, Error error) { return {State::in_doubt, unit, std::move(error)}; }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_committed() const { return state_ == State::committed; }
  // The unit's key in the journal, once it has one.
  [[nodiscard]] const std::optional<UnitId>& unit() const { return unit_; }
  // Why: always set for aborted and in_doubt; set for committed only as a warning.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  Outcome(State state, std::optional<UnitId> unit, std::optional<Error> error)
      : state_(state), unit_(unit), error_(std::move(error)) {}

  State state_;
  std::optional<UnitId> unit_;
  std::optional<Error> error_;
};

}  // namespace write_aside
