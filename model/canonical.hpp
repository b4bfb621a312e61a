// Merges states that differ in nothing that can matter: the names of the processes, and what nobody will look at again.
#pragma once

#include <array>

#include "rules.hpp"
#include "state.hpp"

namespace write_aside::model {

// canonical process i was process places[i] of the state before.
using Places = std::array<Byte, processes_max>;

Places make_canonical(State& state, const Settings& settings);

[[nodiscard]] std::uint64_t fingerprint(const State& state);

}  // namespace write_aside::model
