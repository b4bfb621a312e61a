// Runs the units of a campaign's input through the library and writes down the outcome of each, as soon as it is known.
// The log gets a line for each outcome, `LINE committed`, `LINE aborted` or `LINE in_doubt UNIT`, in one write, so a
// kill leaves whole lines. Started again with the same log it first asks about what is in doubt, then runs only units
// that have no outcome yet: a unit that was reported aborted is never run again, so the claim stays open to be checked.
// A unit whose row is there though nobody reported it was killed between its COMMIT and the report; it is passed over.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "write_aside/coordinator.hpp"

namespace write_aside::programs {

struct Input {
  std::string path;
  std::size_t threads = 1;  // units with the same ordering key run one after the other
  std::string log;
};

// The exit status: 0, or 3 if a unit has no final outcome yet, or 4 if a store did not do what it was asked. The last
// unit runs when the others are through, and waits until it is visible.
int run_input(const std::shared_ptr<ports::Database>& database, const std::shared_ptr<ports::EventStream>& stream,
              const CoordinatorOptions& options, const Input& input);

// Says why, and returns 4.
int fail(const Error& error);

}  // namespace write_aside::programs
