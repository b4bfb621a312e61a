// Goal: the world for tests is what its users take it for: one seed, one run; a clock that moves only when everybody
// waits; fibers that wait for locks, conditions and each other; death that lets code run out without holding up the
// world; and failures that are reported, not hung on.
#include "support/deterministic_runtime.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace write_aside::support {
namespace {

using namespace std::chrono_literals;
using Threads = std::vector<std::unique_ptr<ports::Thread>>;

// Three fibers of two processes that write down their turns.
std::string trace_of(WorldOptions options) {
  World world(options);
  std::string trace;
  const std::string problem = world.run([&] {
    Threads threads;
    for (const std::string name : {"a", "b", "c"}) {
      threads.push_back(world.process(name).start_thread("turns", [&world, &trace, name] {
        for (int turn = 0; turn < 5; ++turn) {
          trace += name;
          world.yield();
        }
      }));
    }
  });
  EXPECT_EQ(problem, "");
  return trace + std::to_string(world.fingerprint());
}

TEST(DeterministicRuntime, RunsTheSameUnderTheSameSeed) {
  std::set<std::string> traces;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(trace_of({.seed = seed}), trace_of({.seed = seed}));
    traces.insert(trace_of({.seed = seed}));
  }
  EXPECT_EQ(traces.size(), 20u);
}

TEST(DeterministicRuntime, TakesTurnsInOrderWhenFirstComeIsFirstServed) {
  EXPECT_EQ(trace_of({.seed = 1, .scheduling = Scheduling::first_come}).substr(0, 15), "abcabcabcabcabc");
}

TEST(DeterministicRuntime, GivesEveryProcessRandomNumbersOfItsOwn) {
  World world(7);
  World same(7);
  World other(8);
  EXPECT_EQ(world.process("a").random(), same.process("a").random());
  EXPECT_NE(world.process("a").random(), world.process("b").random());
  EXPECT_NE(same.process("a").random(), other.process("a").random());
}

TEST(DeterministicRuntime, MovesTheClockToTheEarliestDeadlineWhenEverybodyWaits) {
  World world(1);
  std::vector<std::string> order;
  const TimePoint begin = world.now();
  EXPECT_EQ(world.run([&] {
    const auto late = world.outside().start_thread("late", [&] {
      world.sleep(1h);
      order.emplace_back("late");
      EXPECT_EQ(world.now(), begin + 1h);
    });
    const auto early = world.outside().start_thread("early", [&] {
      world.sleep(5ms);
      order.emplace_back("early");
      EXPECT_EQ(world.now(), begin + 5ms);
    });
    for (int i = 0; i < 100; ++i) world.yield();
    EXPECT_EQ(world.now(), begin);
  }),
            "");
  EXPECT_EQ(order, (std::vector<std::string>{"early", "late"}));
}

TEST(DeterministicRuntime, KeepsOthersOutOfALockedMutexOverYields) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    World world(seed);
    ports::Runtime& runtime = world.process("a");
    int inside = 0;
    int entered = 0;
    EXPECT_EQ(world.run([&] {
      const auto mutex = runtime.mutex();
      Threads threads;
      for (int i = 0; i < 4; ++i) {
        threads.push_back(runtime.start_thread("enters", [&] {
          const std::unique_lock lock(*mutex);
          EXPECT_EQ(++inside, 1);
          world.yield();
          world.sleep(1ms);
          --inside;
          ++entered;
        }));
      }
    }),
              "");
    EXPECT_EQ(entered, 4);
  }
}

TEST(DeterministicRuntime, WakesEveryWaiterOfACondition) {
  World world(3);
  ports::Runtime& runtime = world.process("a");
  int woken = 0;
  const TimePoint begin = world.now();
  EXPECT_EQ(world.run([&] {
    const auto mutex = runtime.mutex();
    const auto condition = runtime.condition();
    bool open = false;
    Threads threads;
    for (int i = 0; i < 3; ++i) {
      threads.push_back(runtime.start_thread("waits", [&] {
        std::unique_lock lock(*mutex);
        while (!open) condition->wait_until(lock, TimePoint::max());
        EXPECT_TRUE(lock.owns_lock());
        ++woken;
      }));
    }
    world.sleep(2s);
    const std::unique_lock lock(*mutex);
    open = true;
    condition->notify_all();
  }),
            "");
  EXPECT_EQ(woken, 3);
  EXPECT_EQ(world.now(), begin + 2s);
}

TEST(DeterministicRuntime, EndsAWaitAtItsSimulatedDeadline) {
  World world(1);
  ports::Runtime& runtime = world.process("a");
  EXPECT_EQ(world.run([&] {
    const auto mutex = runtime.mutex();
    const auto condition = runtime.condition();
    const TimePoint deadline = runtime.now() + 30s;
    const auto wall = runtime.wall_clock();
    std::unique_lock lock(*mutex);
    while (runtime.now() < deadline) condition->wait_until(lock, deadline);
    EXPECT_EQ(runtime.now(), deadline);
    EXPECT_EQ(runtime.wall_clock() - wall, 30s);
  }),
            "");
}

TEST(DeterministicRuntime, TellsTheDeadFromTheLiving) {
  World world(1);
  SimulatedProcess& first = world.process("a");
  SimulatedProcess& judge = world.process("b");
  const ports::ProcessIdentity identity = first.process();
  EXPECT_FALSE(judge.is_dead(identity));
  EXPECT_EQ(&world.process("a"), &first);
  world.kill(first);
  EXPECT_TRUE(judge.is_dead(identity));
  EXPECT_NE(&world.process("a"), &first);
  EXPECT_FALSE(judge.is_dead(world.process("a").process()));
  ports::ProcessIdentity elsewhere = identity;
  elsewhere.host = "other";
  EXPECT_FALSE(judge.is_dead(elsewhere));
}

// A driver as the coordination has them: it works at intervals until somebody asks it to stop.
void run_until_stopped(ports::Runtime& runtime, ports::Mutex& mutex, ports::Condition& wake, const bool& stopping) {
  std::unique_lock lock(mutex);
  while (!stopping) wake.wait_until(lock, runtime.now() + 1s);
}

TEST(DeterministicRuntime, LetsTheDeadRunOutWhileTimePassesForTheLiving) {
  World world(5);
  SimulatedProcess& doomed = world.process("doomed");
  const TimePoint begin = world.now();
  bool action_called = false;
  bool ran_out = false;
  EXPECT_EQ(world.run([&] {
    doomed.on_kill([&] { action_called = true; });
    const auto main = doomed.start_thread("main", [&] {
      const auto mutex = doomed.mutex();
      const auto wake = doomed.condition();
      bool stopping = false;
      const auto driver = doomed.start_thread("driver", [&] { run_until_stopped(doomed, *mutex, *wake, stopping); });
      std::unique_lock lock(*mutex);
      const TimePoint deadline = doomed.now() + 1h;
      while (doomed.now() < deadline) wake->wait_until(lock, deadline);
      stopping = true;
      wake->notify_all();
      lock.unlock();
      ran_out = true;
    });
    world.sleep(10s);
    world.kill(doomed);
    EXPECT_TRUE(doomed.killed());
    world.sleep(10s);
    EXPECT_EQ(world.now(), begin + 20s);
    EXPECT_TRUE(ran_out);
  }),
            "");
  EXPECT_TRUE(action_called);
  EXPECT_LT(world.now(), begin + 1min);
}

TEST(DeterministicRuntime, LetsADeadFiberSpinWithoutStoppingTheClock) {
  World world(5);
  SimulatedProcess& doomed = world.process("doomed");
  bool stopping = false;
  EXPECT_EQ(world.run([&] {
    const auto mutex = doomed.mutex();
    const auto wake = doomed.condition();
    const auto driver = doomed.start_thread("driver", [&] { run_until_stopped(doomed, *mutex, *wake, stopping); });
    world.kill(doomed);
    for (int i = 0; i < 10; ++i) world.sleep(1s);
    stopping = true;
  }),
            "");
  EXPECT_LT(world.steps(), 200u);
}

TEST(DeterministicRuntime, HoldsAPausedProcessWhileTimePasses) {
  World world(2);
  SimulatedProcess& slow = world.process("slow");
  TimePoint woken{};
  const TimePoint begin = world.now();
  EXPECT_EQ(world.run([&] {
    const auto thread = slow.start_thread("main", [&] {
      world.sleep(1s);
      woken = world.now();
    });
    world.yield();
    world.pause(slow);
    world.sleep(10s);
    EXPECT_EQ(woken, TimePoint{});
    world.resume(slow);
  }),
            "");
  EXPECT_EQ(woken, begin + 10s);
}

TEST(DeterministicRuntime, ReportsADeadlockWithTheSeed) {
  World world(77);
  ports::Runtime& runtime = world.process("a");
  const std::string problem = world.run([&] {
    const auto mutex = runtime.mutex();
    const auto condition = runtime.condition();
    std::unique_lock lock(*mutex);
    condition->wait_until(lock, TimePoint::max());
  });
  EXPECT_NE(problem.find("seed 77: nothing can run any more"), std::string::npos) << problem;
  EXPECT_NE(problem.find("main waits for a condition"), std::string::npos) << problem;
}

TEST(DeterministicRuntime, ReportsABusyLoopAndAnEndlessWait) {
  World busy(WorldOptions{.seed = 1, .steps_max = 1000});
  EXPECT_NE(busy.run([&] {
                  while (!busy.outside().killed()) busy.yield();
                })
                .find("no end after 1000 steps"),
            std::string::npos);
  World endless(WorldOptions{.seed = 1, .time_max = 1min});
  EXPECT_NE(endless
                .run([&] {
                  while (!endless.outside().killed()) endless.sleep(1s);
                })
                .find("bound on simulated time"),
            std::string::npos);
}

TEST(DeterministicRuntime, ReportsAnException) {
  World world(1);
  EXPECT_EQ(world.run([] { throw std::runtime_error("broken"); }), "seed 1: main ended with an exception: broken");
}

TEST(DeterministicRuntime, KeepsExceptionsOfFibersApart) {
  World world(4);
  std::vector<std::string> caught;
  EXPECT_EQ(world.run([&] {
    Threads threads;
    for (const std::string name : {"a", "b", "c"}) {
      threads.push_back(world.outside().start_thread(name, [&world, &caught, name] {
        try {
          throw std::runtime_error(name);
        } catch (const std::runtime_error&) {
          for (int i = 0; i < 3; ++i) world.yield();
          try {
            throw;
          } catch (const std::runtime_error& again) {
            if (again.what() == name) caught.push_back(name);
          }
        }
      }));
    }
  }),
            "");
  EXPECT_EQ(caught.size(), 3u);
}

TEST(DeterministicRuntime, JoinsFibersOutsideOfRun) {
  World world(1);
  int value = 0;
  {
    const auto thread = world.process("a").start_thread("main", [&] {
      world.sleep(1s);
      value = 1;
    });
  }
  EXPECT_EQ(value, 1);
}

}  // namespace
}  // namespace write_aside::support
