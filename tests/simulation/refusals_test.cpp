// C1 where the stream refuses an event only after it was taken: a right that is missing shows with the acknowledgement.
// And what a unit is told that finds no place since the stream is late.
#include "simulation/stage.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;
using Kind = Fault::Kind;
using State = Outcome::State;

const Fault denied{.kind = Kind::fail,
                   .error = {.code = ErrorCode::not_authorised, .effect = Effect::no, .message = "grant Write"}};

class Refusals : public Stage {
 protected:
  Actor a{world, "a"};
};

TEST_F(Refusals, C1_AMissingRightHarmsNobodyElse) {
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      const std::size_t instances = a.count("stream.transactional_producer");
      a.plan("producer.produce", denied);
      EXPECT_EQ(attempt(coordinator, 1).error()->code, ErrorCode::not_authorised);
      EXPECT_EQ(attempt(coordinator, 2, Wait::visible).state(), State::committed);
      EXPECT_EQ(a.count("stream.transactional_producer"), instances) << "the producer instance is as good as before";
    });
  });
  EXPECT_EQ(pair.events(), std::vector{2});
}

TEST_F(Refusals, C1_AUnitThatIsRefusedWhenItIsProducedAgainAbortsAtOnce) {
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("producer.delivered", denied);
      // Of the unit itself and of the fence; then the unit comes again, and once more alone.
      for (int time = 0; time < 2; ++time) a.plan("producer.produce", denied, 2);
      const auto begun = world.now();
      const Outcome outcome = attempt(coordinator, 1);
      EXPECT_EQ(outcome.state(), State::aborted);
      EXPECT_EQ(outcome.error()->code, ErrorCode::not_authorised);
      EXPECT_EQ(outcome.error()->message, "grant Write");
      EXPECT_LT(world.now() - begun, 1s);
      EXPECT_EQ(attempt(coordinator, 2, Wait::visible).state(), State::committed);
    });
  });
  EXPECT_EQ(pair.events(), std::vector{2});
}

TEST_F(Refusals, C1_OthersInTheBatchOfTheRefusedUnitGoOn) {
  options.batch_age_max = 5s;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      commit_two_at_a_slow_end(a, coordinator);
      // Both that follow are withdrawn. After the fence they come again, together and then one by one.
      a.plan("producer.delivered", {.kind = Kind::lose_reply});
      a.plan("producer.delivered", denied);
      for (int time = 0; time < 2; ++time) a.plan("producer.produce", denied, 3);
      Outcome first = Outcome::aborted({});
      const auto refused = a.simulated.start_thread("refused", [&] { first = attempt(coordinator, 3); });
      world.sleep(1ms);
      const auto begun = world.now();
      const Outcome second = attempt(coordinator, 4);
      EXPECT_LT(world.now() - begun, 1s);
      EXPECT_EQ(first.error()->code, ErrorCode::not_authorised);
      ASSERT_EQ(second.state(), State::committed) << second.error()->message;
      EXPECT_EQ(second.unit()->member, 2u) << "they were in one batch";
    });
  });
  EXPECT_EQ(pair.events(), (std::vector{1, 2, 4}));
}

TEST_F(Refusals, WhatIsDecidedWaitsUntilTheRightIsGranted) {
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("producer.end", {.kind = Kind::lose_reply});
      a.plan("producer.end", {.kind = Kind::fail});
      for (int time = 0; time < 5; ++time) a.plan("producer.produce", denied, 1);
      EXPECT_EQ(attempt(coordinator, 1, Wait::visible).state(), State::committed);
    });
  });
  EXPECT_EQ(pair.events(), std::vector{1});
}

TEST_F(Refusals, AUnitWithoutAPlaceIsToldWhichStreamIsLate) {
  options.join_timeout = 100ms;
  options.publish_timeout = 1s;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("producer.delivered", {.kind = Kind::lose_reply});
      Outcome first = Outcome::aborted({});
      const auto waiting = a.simulated.start_thread("waiting", [&] { first = attempt(coordinator, 1); });
      world.sleep(10ms);
      const Outcome second = attempt(coordinator, 2);
      ASSERT_EQ(second.state(), State::aborted);
      EXPECT_EQ(second.error()->side, Side::stream);
      EXPECT_TRUE(second.error()->retriable);
      EXPECT_NE(second.error()->message.find("fake:stream"), std::string::npos) << second.error()->message;
      world.sleep(2s);
      ASSERT_EQ(first.state(), State::aborted);
      EXPECT_NE(first.error()->message.find("fake:stream"), std::string::npos) << first.error()->message;
    });
  });
}

}  // namespace
}  // namespace write_aside::simulation
