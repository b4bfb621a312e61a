// J: clears away the journal rows of settled batches and keeps the lane alive, in one transaction that locks the lane
// row and checks that the lane is ours.
#pragma once

#include <optional>
#include <string>

#include "coordination/context.hpp"

namespace write_aside::coordination {

struct Clearance {
  enum class State {
    done,      // committed: the lane is ours and alive
    lost,      // the lane belongs to somebody else
    damaged,   // rows are missing that must be there: halt
    in_doubt,  // COMMIT was not answered; `earlier` tells next time
  };
  State state = State::done;
  bool earlier_had_landed = false;
  std::string reason = {};
};

// `work`: none, or what to clear away. `earlier`: work whose COMMIT was not answered; if it turns out to have landed,
// nothing else is done. Beats the lane's heart in any case.
[[nodiscard]] Result<Clearance> clear_settled(ports::Database& database, const Ownership& mine,
                                              const std::optional<JanitorWork>& work,
                                              const std::optional<JanitorWork>& earlier, ports::Deadline deadline);

// D4: deletes what the retention no longer protects and moves the watermark.
[[nodiscard]] Result<void> purge_lane(ports::Database& database, const Ownership& mine, std::chrono::seconds retention,
                                      ports::Deadline deadline);

// Gives the lane back: nobody owns it, nobody has to wait for the lease.
[[nodiscard]] Result<void> release_lane(ports::Database& database, const Ownership& mine, ports::Deadline deadline);

// Writes the reason into the lane row, so that nobody takes the lane before the operator has looked.
[[nodiscard]] Result<void> halt_lane(ports::Database& database, const Ownership& mine, const std::string& reason,
                                     ports::Deadline deadline);

}  // namespace write_aside::coordination
