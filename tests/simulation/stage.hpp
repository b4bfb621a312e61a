// A stage for tests of single rules: one world, the in-memory pair of stores,
// and processes that a test starts, lets run into planned faults, pauses and
// asks. The oracle of scenario.hpp looks at both stores at the end.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/publication.hpp"
#include "simulation/fake_pair.hpp"
#include "simulation/scenario.hpp"
#include "simulation/wrapped_pair.hpp"

namespace write_aside::simulation {

// A call that is answered with an error and has no effect.
inline const Fault refused_call{.kind = Fault::Kind::fail};

// A process of a test, with the faults that are planned for it.
struct Actor {
  Actor(World& world, const std::string& name) : simulated(world.process(name)), faulty(simulated) {}
  void plan(const std::string& step, const Fault& fault, std::size_t passed = 0) {
    faulty.plan_next(step, fault, passed);
  }
  [[nodiscard]] std::size_t count(const std::string& step) const {
    const auto steps = faulty.steps();
    return static_cast<std::size_t>(std::count(steps.begin(), steps.end(), step));
  }

  SimulatedProcess& simulated;
  FaultyProcess faulty;
};

class Stage : public ::testing::Test {
 protected:
  explicit Stage(std::uint32_t lanes = 1, support::FakeStreamOptions stream = {}) : pair(world, lanes, stream) {
    scenario.options.lanes_max = lanes;
    options.lanes_max = lanes;
  }

  // Everything happens in here. At the end the stores are settled and compared.
  void play(const std::function<void()>& body) {
    const std::string stuck = world.run([&] {
      body();
      world.sleep(std::chrono::seconds(20));  // whatever was still under way has landed
      if (judged) {
        EXPECT_EQ(scenario.verdict(), "");
      }
    });
    EXPECT_EQ(stuck, "");
  }
  void run(Actor& actor, const std::function<void(Coordinator&)>& body) { start(actor, body).reset(); }
  std::unique_ptr<ports::Thread> start(Actor& actor, const std::function<void(Coordinator&)>& body) {
    return scenario.start_process(actor.faulty, actor.simulated, options,
                                  [body](Coordinator& coordinator, SimulatedProcess&) { body(coordinator); });
  }

  static Event event(int id) { return {.topic = "t", .key = "k", .type = "x", .value = std::to_string(id)}; }
  // One attempt at a unit that writes the row `id` and publishes the event
  // `id`.
  Outcome attempt(Coordinator& coordinator, int id, Wait wait = Wait::decided, std::string_view ordering_key = {}) {
    auto unit = coordinator.begin({.ordering_key = ordering_key});
    if (!unit) return Outcome::aborted(unit.error());
    if (auto written = pair.write_row(*unit, id); !written) return Outcome::aborted(written.error());
    if (auto published = unit->publish(event(id)); !published) return Outcome::aborted(published.error());
    return unit->commit(wait);
  }
  // Units 1 and 2. From then on ends are taken to be costly and units to come often: batches stay open for a while.
  void commit_two_at_a_slow_end(Actor& actor, Coordinator& coordinator) {
    actor.plan("producer.end", {.kind = Fault::Kind::delay, .delay = std::chrono::milliseconds(300)});
    for (const int id : {1, 2}) EXPECT_TRUE(attempt(coordinator, id, Wait::visible).is_committed());
  }
  // A committed unit of another owner, whose row and journal row become visible
  // just now.
  void late_unit(const UnitId& key, int id) {
    const auto session = pair.pair.database(world.outside())->session(world.now()).value();
    ASSERT_TRUE(session->begin(world.now()));
    const std::string text = std::to_string(id);
    const Parameter parameters[] = {text, "x"};
    ASSERT_TRUE(session->execute("insert ? ?", parameters));
    core::Publication publication{.source = "late", .time_ms = 1, .events = {}};
    publication.events.push_back(event(id));
    const std::string payload = core::encode(publication);
    session->send_journal({.key = key, .payload = payload});
    ASSERT_TRUE(session->receive_journal());
    ASSERT_EQ(session->commit(world.now()).state, ports::CommitReply::State::committed);
  }
  bool has_row(int id) { return pair.rows().contains(id); }
  std::ptrdiff_t events_of(int id) {
    const auto events = pair.events();
    return std::count(events.begin(), events.end(), id);
  }
  ports::LaneRow lane_row(LaneNumber lane = 0) { return pair.pair.database_state().lane_row(lane).value(); }
  std::vector<ports::JournalRow> journal() { return pair.pair.database_state().journal_rows(); }

  World world{{.seed = 1, .scheduling = support::Scheduling::first_come}};
  WrappedPair pair;
  Scenario scenario{world, pair};
  CoordinatorOptions options;
  bool judged = true;
};

}  // namespace write_aside::simulation
