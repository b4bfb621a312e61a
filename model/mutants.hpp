// The protocol with something left out. A search must refute the first list, and must not refute the second.
#pragma once

#include <string>
#include <vector>

#include "rules.hpp"
#include "state.hpp"

namespace write_aside::model {

struct Mutant {
  std::string name;  // the rule that it leaves out
  std::string does;  // instead
  std::vector<Rule> without;
  Bounds bounds;  // the smallest that refute it
  Violation broken = Violation::none;
  // Others that would notice first are left out as well, to show what they protect from.
  Order order = Order::over_owners;
};

[[nodiscard]] const std::vector<Mutant>& mutants();

// Left out one at a time, these break nothing within the bounds: they save work, keep a lane moving, notice damage done
// from outside, or guard what another rule guards as well.
[[nodiscard]] const std::vector<Mutant>& spare_rules();

[[nodiscard]] Settings settings_of(const Mutant& mutant);

}  // namespace write_aside::model
