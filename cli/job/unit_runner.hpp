// Runs planned units in one database transaction, together with the progress that they make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "job/planned_unit.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::cli {

// What became of one attempt.
struct Attempt {
  enum class Kind {
    committed,
    unit_refused,  // the stores refuse the unit number `unit`, and will again; rolled back
    refused,       // they refuse the transaction as a whole, and will again; rolled back
    try_again,     // rolled back; the same may succeed
    moved,         // rolled back: somebody else moved the progress of this source
    in_doubt,
    failed,  // rolled back: a store or the coordination failed
  };
  Kind kind = Kind::failed;
  std::size_t unit = 0;
  std::size_t at = 0;  // in that unit's record, in bytes
  std::optional<Error> error = {};
  std::optional<UnitId> id = {};
  std::uint64_t events = 0;
};

class UnitRunner {
 public:
  // Called for a unit that `skip` leaves out; a failure ends the attempt.
  using OnRefused = std::function<Result<void>(const PlannedUnit&)>;

  struct Advance {
    std::string_view source;
    std::optional<std::string_view> expected;
    std::function<std::string()> position;  // asked once the units are written, when it is known which were refused
  };

  UnitRunner(Coordinator& coordinator, Wait wait, OnRefused on_refused);

  // Units that carry a refusal are passed over. `isolate`: each unit runs under a savepoint; one that is refused gets its
  // refusal, is undone, and the others go on. `lane`: takes that lane, or none.
  [[nodiscard]] Attempt run(std::span<PlannedUnit* const> units, const Advance& advance, bool isolate,
                            std::optional<LaneNumber> lane);

 private:
  struct Failure {
    Error error;
    std::size_t at = 0;
  };
  [[nodiscard]] std::optional<Failure> write(UnitOfWork& work, const PlannedUnit& unit);
  [[nodiscard]] std::optional<Failure> execute(UnitOfWork& work, const PlannedUnit& unit);
  [[nodiscard]] std::optional<Failure> publish(UnitOfWork& work, const PlannedUnit& unit);
  // All statements at once.
  [[nodiscard]] std::optional<Attempt> write_together(UnitOfWork& work, std::span<PlannedUnit* const> units,
                                                      std::uint64_t& events);
  [[nodiscard]] std::optional<Attempt> write_isolated(UnitOfWork& work, PlannedUnit& unit, std::uint64_t& events);

  Coordinator& coordinator_;
  Wait wait_;
  OnRefused on_refused_;
  std::vector<Statement> statements_;  // of one call
};

}  // namespace write_aside::cli
