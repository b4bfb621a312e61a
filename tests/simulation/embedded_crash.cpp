#include "simulation/embedded_crash.hpp"

#include "simulation/embedded_pair.hpp"

namespace write_aside::simulation {

namespace {

CoordinatorOptions one_lane() {
  CoordinatorOptions options;
  options.lanes_max = 1;
  return options;
}

}  // namespace

CrashRun run_embedded(std::optional<Crash> first, std::optional<Crash> second) {
  CrashRun result;
  EmbeddedPair pair(1);
  World world({.seed = 1, .scheduling = support::Scheduling::first_come});
  const std::string stuck = world.run([&] {
    Scenario scenario(world, pair);
    scenario.options = one_lane();
    const auto play = [&](const char* name, std::optional<Crash> crash, std::vector<int> ids) {
      SimulatedProcess& simulated = world.process(name);
      FaultyProcess process(simulated);
      if (crash) process.plan(crash->step, {.kind = crash->kind});
      scenario.run_process(process, simulated, scenario.options, [&](Coordinator& coordinator, SimulatedProcess& self) {
        for (const int id : ids) scenario.commit_unit(coordinator, self, id, id == 2 ? Wait::visible : Wait::decided);
      });
      return process.steps();
    };
    result.first_steps = play("a", first, {1, 2, 3});
    result.second_steps = play("b", second, {4});
    result.wrong = scenario.verdict();
  });
  if (!stuck.empty()) result.wrong += " " + stuck;
  return result;
}

std::vector<Crash> different_crashes(std::size_t step_count) {
  std::vector<Crash> crashes{{0, Fault::Kind::crash_before}};
  for (std::size_t step = 0; step < step_count; ++step) crashes.push_back({step, Fault::Kind::crash_after});
  return crashes;
}

std::string describe(const Crash& crash, const std::vector<std::string>& steps) {
  const std::string name = crash.step < steps.size() ? steps[crash.step] : "?";
  return std::string(crash.kind == Fault::Kind::crash_before ? "before " : "after ") + std::to_string(crash.step) +
         " " + name;
}

}  // namespace write_aside::simulation
