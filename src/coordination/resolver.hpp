// D2, D3: ends the doubt about a unit by evidence, never by a time-out.
#pragma once

#include <optional>
#include <string>

#include "coordination/context.hpp"

namespace write_aside::coordination {

struct Resolution {
  enum class Verdict {
    committed,
    aborted,
    unknown,
    too_old,  // D4: nobody can tell any more
  };
  Verdict verdict = Verdict::unknown;
  std::optional<Error> error = {};  // why it is still unknown
};

// One attempt. `session`: the lost session's identity, empty if nobody knows it. May be tried again at will, by
// anybody, also at the same time. `mine`: the lane is held by who asks, and the unit is a member of it that is not yet
// settled. Nobody else delivers its row while that is so, hence no purge can have taken it (D4).
[[nodiscard]] Resolution resolve_unit(ports::Database& database, const UnitId& unit, const std::string& session,
                                      ports::Deadline deadline, const std::optional<Ownership>& mine = {});

}  // namespace write_aside::coordination
