// What is wrong with the stores at the end of a random run, beyond what every scenario is judged by.
#pragma once

#include <functional>
#include <string>

#include "simulation/fake_pair.hpp"

namespace write_aside::simulation {

// Empty if nothing is: every journal row is delivered, the second topic ("u") has as many events of each unit as
// `extra_events` says, and those of the first ("t") are in order on each lane.
[[nodiscard]] std::string run_verdict(FakePair& pair, const std::function<int(int)>& extra_events, bool strict_order);

}  // namespace write_aside::simulation
