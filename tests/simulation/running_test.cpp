// Coordinator::run: what is tried again, how often, and for how long. And that no two events have one id.
#include <set>

#include "simulation/stage.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;

class Running : public Stage {
 protected:
  static Error trouble(bool retriable) {
    return {.code = ErrorCode::conflict, .effect = Effect::no, .retriable = retriable, .message = "trouble"};
  }
  Actor a{world, "a"};
};

TEST_F(Running, TriesAgainAsOftenAsItMay) {
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      std::uint32_t attempts = 0;
      const auto work = [&](UnitOfWork&) -> Result<void> {
        ++attempts;
        return failure(trouble(true));
      };
      const Outcome outcome = coordinator.run(work, {.attempt_count_max = 3});
      EXPECT_EQ(attempts, 3u);
      EXPECT_EQ(outcome.state(), Outcome::State::aborted);
      EXPECT_EQ(outcome.error()->message, "trouble");
    });
  });
}

TEST_F(Running, TriesWhatCannotChangeOnce) {
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      int attempts = 0;
      const auto work = [&](UnitOfWork&) -> Result<void> {
        ++attempts;
        return failure(trouble(false));
      };
      EXPECT_EQ(coordinator.run(work).state(), Outcome::State::aborted);
      EXPECT_EQ(attempts, 1);
    });
  });
}

TEST_F(Running, BeginsNoAttemptBehindItsDeadlineAndRestsBetweenThem) {
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      const auto begun = world.now();
      std::vector<std::chrono::nanoseconds> times;
      const auto work = [&](UnitOfWork&) -> Result<void> {
        times.push_back(world.now() - begun);
        return failure(trouble(true));
      };
      EXPECT_EQ(coordinator.run(work, {.deadline = 2s}).state(), Outcome::State::aborted);
      EXPECT_LT(world.now() - begun, 2s);
      EXPECT_GT(times.back(), 1700ms) << "it gave up too early";
      EXPECT_LT(times.size(), 40u) << "it does not rest longer from time to time";
      for (std::size_t at = 1; at < times.size(); ++at) EXPECT_LE(times[at] - times[at - 1], 201ms);
    });
  });
}

TEST_F(Running, EventsOfAllProcessesHaveDifferentIds) {
  Actor b{world, "b"};
  play([&] {
    for (Actor* const actor : {&a, &b}) {
      run(*actor, [&](Coordinator& coordinator) {
        for (int count = 0; count < 2; ++count) {
          const int id = static_cast<int>(pair.rows().size()) + 1;
          EXPECT_TRUE(attempt(coordinator, id, Wait::visible).is_committed());
        }
      });
    }
  });
  std::set<std::string> ids;
  for (const auto& record : pair.pair.stream_state().committed("t")) {
    for (const Header& header : record.headers) {
      if (header.name == "ce_id") ids.insert(header.value);
    }
  }
  EXPECT_EQ(ids.size(), 4u);
}

}  // namespace
}  // namespace write_aside::simulation
