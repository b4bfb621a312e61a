#include "simulation/exploration.hpp"

#include <array>
#include <memory>
#include <utility>

#include "simulation/fake_pair.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;
using Kind = Fault::Kind;

struct Way {
  const char* name;
  Fault fault;
  bool pauses = false;
  bool lands_late = false;
};

// Longer than the lease: the lane is lost meanwhile.
constexpr auto long_time = 5s;

const std::array<Way, 8>& ways() {
  static const std::array<Way, 8> all{{
      {.name = "killed before", .fault = {.kind = Kind::crash_before}},
      {.name = "killed after", .fault = {.kind = Kind::crash_after}},
      {.name = "error", .fault = {.kind = Kind::fail}},
      {.name = "reply lost", .fault = {.kind = Kind::lose_reply}},
      {.name = "made late", .fault = {.kind = Kind::delay, .delay = long_time}},
      {.name = "process paused", .fault = {.kind = Kind::delay, .delay = 1ns}, .pauses = true},
      {.name = "killed, lands late", .fault = {.kind = Kind::crash_after, .delay = 2s}, .lands_late = true},
      {.name = "reply lost, lands late", .fault = {.kind = Kind::lose_reply, .delay = 2s}, .lands_late = true},
  }};
  return all;
}

bool may_land_late(std::string_view step) {
  return step == "session.commit" || step == "own.commit" || step == "producer.end" || step == "producer.initialise";
}

class ChosenRun {
 public:
  ChosenRun(int units, const std::vector<Choice>& choices)
      : units_(units), choices_(choices), pair_(world_, 1), scenario_(world_, pair_) {
    scenario_.ordered = false;
    scenario_.options.lanes_max = 1;
    pair_.stream_state().on_commit([this](const ports::StoredRecord& record) {
      if (record.topic == "t" && record.value && !pair_.database_state().has_user_row(*record.value)) {
        early_ += "visible before its unit is decided: " + *record.value + "; ";
      }
    });
  }

  Explored play() {
    Explored result;
    const std::string stuck = world_.run([&] {
      SimulatedProcess& a = world_.process("a");
      FaultyProcess faulty_a(a);
      plan(a, faulty_a, 0);
      bool a_is_through = false;
      auto thread_a =
          scenario_.start_process(faulty_a, a, scenario_.options, [&](Coordinator& coordinator, auto& self) {
            commit_units(coordinator, self);
            a_is_through = true;
          });
      // Not joined yet: what a dead process left under way is to land while the next one runs.
      for (int i = 0; i < 100 && !a.killed() && !a_is_through; ++i) world_.sleep(10ms);
      SimulatedProcess& b = world_.process("b");
      FaultyProcess faulty_b(b);
      plan(b, faulty_b, 1);
      scenario_.run_process(faulty_b, b, scenario_.options, [&](Coordinator& coordinator, SimulatedProcess& self) {
        scenario_.commit_unit(coordinator, self, 4);
        if (something_lands_late() && !self.killed()) world_.sleep(3s);  // time for a sweep
      });
      thread_a.reset();
      resuming_.clear();
      world_.sleep(20s);  // whatever was still under way has landed
      result.steps = {faulty_a.steps(), faulty_b.steps()};
      result.wrong = scenario_.verdict() + early_;
    });
    if (!stuck.empty()) result.wrong += " " + stuck;
    return result;
  }

 private:
  void commit_units(Coordinator& coordinator, SimulatedProcess& self) {
    std::vector<std::unique_ptr<ports::Thread>> others;
    for (int id = 2; id <= units_; ++id) {
      others.push_back(self.start_thread("other", [&, id] { scenario_.commit_unit(coordinator, self, id); }));
    }
    scenario_.commit_unit(coordinator, self, 1);
  }

  void plan(SimulatedProcess& simulated, FaultyProcess& process, std::size_t number) {
    std::vector<std::size_t> pauses;
    for (const Choice& choice : choices_) {
      if (choice.process != number) continue;
      const Way& way = ways().at(choice.way);
      process.plan(choice.step, way.fault);
      if (way.pauses) pauses.push_back(choice.step);
    }
    if (pauses.empty()) return;
    process.watch([this, &simulated, pauses, step = std::size_t{0}](std::string_view, std::optional<Fault>&) mutable {
      for (const std::size_t pause : pauses) {
        if (pause == step) this->pause(simulated);
      }
      ++step;
    });
  }

  void pause(SimulatedProcess& process) {
    world_.pause(process);
    resuming_.push_back(world_.outside().start_thread("resume", [this, &process] {
      world_.sleep(long_time);
      world_.resume(process);
    }));
  }

  [[nodiscard]] bool something_lands_late() const {
    for (const Choice& choice : choices_) {
      if (ways().at(choice.way).lands_late) return true;
    }
    return false;
  }

  int units_;
  const std::vector<Choice>& choices_;
  World world_{{.seed = 1, .scheduling = support::Scheduling::first_come}};
  FakePair pair_;
  Scenario scenario_;
  std::string early_;
  std::vector<std::unique_ptr<ports::Thread>> resuming_;
};

}  // namespace

std::vector<std::size_t> ways_to_fail(const std::string& step) {
  std::vector<std::size_t> result;
  for (std::size_t way = 0; way < ways().size(); ++way) {
    if (!ways()[way].lands_late || may_land_late(step)) result.push_back(way);
  }
  return result;
}

std::string to_string(const Choice& choice, const std::string& step) {
  return std::string(choice.process == 0 ? "a" : "b") + ' ' + std::to_string(choice.step) + ' ' + step + ": " +
         ways().at(choice.way).name;
}

Explored play_choices(int units, const std::vector<Choice>& choices) { return ChosenRun(units, choices).play(); }

std::vector<Choice> next_choices(const Explored& played, const std::vector<Choice>& made) {
  std::vector<Choice> result;
  const std::size_t first_process = made.empty() ? 0 : made.back().process;
  for (std::size_t process = first_process; process < played.steps.size(); ++process) {
    const bool same = !made.empty() && process == made.back().process;
    for (std::size_t step = same ? made.back().step + 1 : 0; step < played.steps[process].size(); ++step) {
      for (const std::size_t way : ways_to_fail(played.steps[process][step])) result.push_back({process, step, way});
    }
  }
  return result;
}

void explore(int units, const std::vector<Choice>& choices, std::size_t more, Exploration& exploration) {
  const Explored played = play_choices(units, choices);
  ++exploration.runs;
  if (!played.wrong.empty()) {
    exploration.wrong = played.wrong;
    for (const Choice& choice : choices) {
      const auto& steps = played.steps.empty() ? std::vector<std::string>{} : played.steps[choice.process];
      exploration.wrong +=
          "\n  at " + to_string(choice, choice.step < steps.size() ? steps[choice.step] : std::string("?"));
    }
    return;
  }
  if (more == 0) return;
  for (const Choice& choice : next_choices(played, choices)) {
    std::vector<Choice> longer = choices;
    longer.push_back(choice);
    explore(units, longer, more - 1, exploration);
    if (!exploration.wrong.empty()) return;
  }
}

}  // namespace write_aside::simulation
