// D2, D3: ends the doubt about a unit by evidence, never by a time-out.
#pragma once

#include <optional>
#include <string>

#include "write_aside/ports/database.hpp"

namespace write_aside::coordination {

struct Resolution {
  enum class Verdict { committed, aborted, unknown };
  Verdict verdict = Verdict::unknown;
  std::optional<Error> error = {};  // why it is still unknown
};

// One attempt. `session`: the lost session's identity, empty if nobody knows it. May be tried again at will, by
// anybody, also at the same time.
[[nodiscard]] Resolution resolve_unit(ports::Database& database, const UnitId& unit, const std::string& session,
                                      ports::Deadline deadline);

}  // namespace write_aside::coordination
