// A unit's place in a batch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/publication.hpp"
#include "write_aside/error.hpp"
#include "write_aside/ports/runtime.hpp"
#include "write_aside/unit_id.hpp"

namespace write_aside::coordination {

struct Member {
  enum class State {
    joined,             // has a key; its COMMIT was not sent
    sent,               // COMMIT is under way
    committed,          // decided; its events are owed to the stream
    doubtful,           // COMMIT was not answered (D)
    adopting,           // W: the UPDATE of its label is under way
    adoption_doubtful,  // W: that was not answered
    settled,            // over: decided, and its events are visible
    aborted,            // over: did not commit and never will, or (an adoption) is not ours to deliver
    left,               // over for this process: committed, the lane's next owner delivers it (B5)
  };

  UnitId key;
  std::shared_ptr<const core::Publication> publication;
  std::size_t bytes = 0;
  State state = State::joined;
  bool adopted = false;        // its row carries a label
  bool ever_in_doubt = false;  // D4: its row is kept
  bool waits_for_visibility = false;
  std::uint64_t produced_in = 0;         // n of the batch that its events were last produced in
  bool acknowledged = false;             // all of them, in that batch
  std::optional<Error> refused_by = {};  // C1: why it aborted, if the stream refused its events after it had joined

  // Wakes the thread that waits for this member, if one does; guarded by the lane's lock.
  std::shared_ptr<ports::Condition> waiter = {};

  [[nodiscard]] bool is_over() const {
    return state == State::settled || state == State::aborted || state == State::left;
  }
  [[nodiscard]] bool is_decided() const { return state == State::committed || is_over(); }
  [[nodiscard]] bool is_being_adopted() const { return state == State::adopting || state == State::adoption_doubtful; }
};

using MemberPointer = std::shared_ptr<Member>;

}  // namespace write_aside::coordination
