// Every fault at every port call, on the in-memory pair: two units that share a batch, a poisoned batch, a COMMIT that
// lands late and is swept, a paused owner. Each is followed by another process, and in the nested tests by faults in
// that one too.
//
// Method: as in embedded_crash_test.cpp: run without faults, count the port calls, then run again for each of them.
#include <gtest/gtest.h>

#include "simulation/fake_pair.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;
using Kind = Fault::Kind;
using Plan = std::function<void(FaultyProcess&)>;

struct Played {
  std::string wrong;
  std::vector<std::string> first;
  std::vector<std::string> second;
};

struct Play {
  Plan first = [](FaultyProcess&) {};
  Plan second = [](FaultyProcess&) {};
  std::chrono::nanoseconds lifetime{0};      // of the second process after its unit, for its sweep
  std::optional<std::size_t> pause_at = {};  // the first process stops there until the second one is through
};

// Process "a": units 1 and 2 at the same time, then 3. Process "b": unit 4. One lane, so that 1 and 2 share a batch.
Played play(const Play& how) {
  Played result;
  World world({.seed = 1, .scheduling = support::Scheduling::first_come});
  FakePair pair(world, 1);
  const std::string stuck = world.run([&] {
    Scenario scenario(world, pair);
    scenario.ordered = false;
    scenario.options.lanes_max = 1;
    SimulatedProcess& a = world.process("a");
    FaultyProcess faulty_a(a);
    how.first(faulty_a);
    bool a_is_through = false;
    auto thread_a =
        scenario.start_process(faulty_a, a, scenario.options, [&](Coordinator& coordinator, SimulatedProcess& self) {
          auto other = self.start_thread("other", [&] { scenario.commit_unit(coordinator, self, 2); });
          scenario.commit_unit(coordinator, self, 1);
          other.reset();
          scenario.commit_unit(coordinator, self, 3, Wait::visible);
          a_is_through = true;
        });
    if (how.pause_at) {
      while (faulty_a.steps().size() < *how.pause_at) world.yield();
      world.pause(a);
      world.sleep(4s);  // longer than the lease
    } else {
      // Not joined yet: what a dead process left under way is to land while the next one runs.
      for (int i = 0; i < 1000 && !a.killed() && !a_is_through; ++i) world.sleep(1ms);
    }
    SimulatedProcess& b = world.process("b");
    FaultyProcess faulty_b(b);
    how.second(faulty_b);
    scenario.run_process(faulty_b, b, scenario.options, [&](Coordinator& coordinator, SimulatedProcess& self) {
      scenario.commit_unit(coordinator, self, 4);
      if (how.lifetime.count() > 0 && !self.killed()) world.sleep(how.lifetime);
    });
    if (how.pause_at) world.resume(a);
    thread_a.reset();
    world.sleep(20s);  // whatever was still under way has landed
    result.first = faulty_a.steps();
    result.second = faulty_b.steps();
    result.wrong = scenario.verdict();
  });
  if (!stuck.empty()) result.wrong += " " + stuck;
  return result;
}

std::string at(std::size_t step, const std::vector<std::string>& steps) {
  return std::to_string(step) + " " + (step < steps.size() ? steps[step] : "?");
}

TEST(FaultMatrix, NothingIsWrongWithoutAFault) {
  const Played clean = play({});
  EXPECT_EQ(clean.wrong, "");
  EXPECT_GT(clean.first.size(), 40u);
}

TEST(FaultMatrix, ACrashBeforeOrAfterEveryPortCall) {
  const Played clean = play({});
  for (std::size_t step = 0; step < clean.first.size(); ++step) {
    for (const Kind kind : {Kind::crash_before, Kind::crash_after}) {
      const auto plan = [&](FaultyProcess& process) { process.plan(step, {.kind = kind}); };
      EXPECT_EQ(play({.first = plan}).wrong, "") << static_cast<int>(kind) << " at " << at(step, clean.first);
    }
  }
}

TEST(FaultMatrix, AnErrorALostReplyOrADelayAtEveryPortCall) {
  const Played clean = play({});
  for (std::size_t step = 0; step < clean.first.size(); ++step) {
    for (const Fault& fault : {Fault{.kind = Kind::fail}, Fault{.kind = Kind::lose_reply},
                               Fault{.kind = Kind::lose_reply, .delay = 3s}, Fault{.kind = Kind::delay, .delay = 5s}}) {
      const auto plan = [&](FaultyProcess& process) { process.plan(step, fault); };
      EXPECT_EQ(play({.first = plan}).wrong, "") << static_cast<int>(fault.kind) << " at " << at(step, clean.first);
    }
  }
}

// B3: a member's COMMIT fails while another shares its batch; then a crash at every call.
TEST(FaultMatrix, ACrashAtEveryPortCallWithAPoisonedBatch) {
  const auto poison = [](FaultyProcess& process) {
    process.plan_next(
        "session.commit",
        {.kind = Kind::fail, .error = {.code = ErrorCode::constraint, .effect = Effect::no, .message = "refused"}});
  };
  const Played clean = play({.first = poison});
  EXPECT_EQ(clean.wrong, "");
  for (std::size_t step = 0; step < clean.first.size(); ++step) {
    for (const Kind kind : {Kind::crash_before, Kind::crash_after}) {
      const auto plan = [&](FaultyProcess& process) {
        poison(process);
        process.plan(step, {.kind = kind});
      };
      EXPECT_EQ(play({.first = plan}).wrong, "") << static_cast<int>(kind) << " at " << at(step, clean.first);
    }
  }
}

// W: the first owner dies while its COMMIT is under way, and that lands after the next owner's T4.
const Plan late_commit = [](FaultyProcess& process) {
  process.plan_next("session.commit", {.kind = Kind::crash_after, .delay = 2s});
};

TEST(FaultMatrix, ALateCommitIsSweptByTheNextOwner) {
  const Played swept = play({.first = late_commit, .lifetime = 5s});
  EXPECT_EQ(swept.wrong, "");
  EXPECT_NE(std::find(swept.second.begin(), swept.second.end(), "own.adopt"), swept.second.end())
      << "the scenario does not reach the sweep: " << ::testing::PrintToString(swept.second);
}

TEST(FaultMatrix, AnyFaultAtEveryPortCallOfTheSweepThatFollowsALateCommit) {
  const Played swept = play({.first = late_commit, .lifetime = 5s});
  for (std::size_t step = 0; step < swept.second.size(); ++step) {
    for (const Fault& fault :
         {Fault{.kind = Kind::crash_before}, Fault{.kind = Kind::crash_after}, Fault{.kind = Kind::fail},
          Fault{.kind = Kind::lose_reply}, Fault{.kind = Kind::lose_reply, .delay = 1s}}) {
      const auto plan = [&](FaultyProcess& process) { process.plan(step, fault); };
      EXPECT_EQ(play({.first = late_commit, .second = plan, .lifetime = 5s}).wrong, "")
          << static_cast<int>(fault.kind) << " at " << at(step, swept.second);
    }
  }
}

TEST(FaultMatrix, AnOwnerPausedAtEveryPortCallDoesNoHarmAfterwards) {
  const Played clean = play({});
  for (std::size_t step = 0; step < clean.first.size(); ++step) {
    EXPECT_EQ(play({.pause_at = step}).wrong, "") << "paused at " << at(step, clean.first);
  }
}

}  // namespace
}  // namespace write_aside::simulation
