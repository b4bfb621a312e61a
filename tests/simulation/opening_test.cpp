// What `initialise`, `Coordinator::open` and `begin` say when a store refuses: nobody goes on without what he asked for.
#include "simulation/stage.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;
using Kind = Fault::Kind;

class Opening : public Stage {
 protected:
  explicit Opening(std::uint32_t lanes = 1) : Stage(lanes) {}
  void SetUp() override { judged = false; }
  // In the process `a`, with ports that fail as planned.
  void with_ports(
      const std::function<void(std::shared_ptr<ports::Database>, std::shared_ptr<ports::EventStream>)>& body) {
    options.runtime = &a.simulated;
    play([&] {
      a.simulated
          .start_thread(
              "main",
              [&] { body(a.faulty.decorate(pair.database(a.simulated)), a.faulty.decorate(pair.stream(a.simulated))); })
          .reset();
    });
  }
  Actor a{world, "a"};
};

TEST_F(Opening, RefusesAStreamWithoutTheLedger) {
  options.ledger_topic = "nowhere";
  with_ports([&](const auto& database, const auto& stream) {
    const auto opened = Coordinator::open(database, stream, options);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::not_initialised);
  });
}

TEST_F(Opening, ReportsACallThatFailed) {
  with_ports([&](const auto& database, const auto& stream) {
    for (const char* step : {"stream.identity", "database.schema", "stream.topic"}) {
      a.plan(step, refused_call);
      const auto opened = Coordinator::open(database, stream, options);
      ASSERT_FALSE(opened) << step;
      EXPECT_EQ(opened.error().code, ErrorCode::unreachable) << step;
    }
    EXPECT_TRUE(Coordinator::open(database, stream, options));
  });
}

TEST_F(Opening, InitialisingReportsACallThatFailed) {
  with_ports([&](const auto& database, const auto& stream) {
    for (const char* step : {"database.create_schema", "stream.create_topic", "stream.topic"}) {
      a.plan(step, refused_call);
      const auto made = initialise(*database, *stream, 1, "");
      ASSERT_FALSE(made) << step;
      EXPECT_EQ(made.error().code, ErrorCode::unreachable) << step;
    }
    EXPECT_TRUE(initialise(*database, *stream, 1, ""));
  });
}

TEST_F(Opening, ABeginThatFailedIsReported) {
  with_ports([&](const auto& database, const auto& stream) {
    const auto coordinator = Coordinator::open(database, stream, options);
    ASSERT_TRUE(coordinator);
    for (const char* step : {"database.session", "session.begin"}) {
      a.plan(step, refused_call);
      EXPECT_FALSE((*coordinator)->begin()) << step;
    }
    EXPECT_TRUE((*coordinator)->begin());
  });
}

TEST_F(Opening, EveryLevelNamesItsSourceAfterTheDatabase) {
  with_ports([&](const auto& database, const auto& stream) {
    for (const Guarantee guarantee : {Guarantee::exactly_once, Guarantee::transactional, Guarantee::at_least_once}) {
      options.guarantee = guarantee;
      const auto coordinator = Coordinator::open(database, stream, options);
      ASSERT_TRUE(coordinator);
      EXPECT_EQ((*coordinator)->source(), "write-aside/" + database->schema().value().database_id);
    }
  });
}

TEST_F(Opening, D2_AskingAboutAUnitEndsAtItsDeadlineAndAtOnceIfNothingCanChange) {
  options.doubt_timeout = 100ms;
  with_ports([&](const auto& database, const auto& stream) {
    const auto coordinator = Coordinator::open(database, stream, options);
    ASSERT_TRUE(coordinator);
    const auto begun = world.now();
    EXPECT_EQ((*coordinator)->resolve({99, 1, 1, 1}).state(), Outcome::State::in_doubt) << "there is no such lane";
    EXPECT_LT(world.now() - begun, 1ms);
    const Fault away{.kind = Kind::fail, .error = {.code = ErrorCode::unreachable, .retriable = true}};
    for (int count = 0; count < 100; ++count) a.plan("own.insert_tombstone", away);
    EXPECT_EQ((*coordinator)->resolve({0, 1, 1, 1}).state(), Outcome::State::in_doubt);
    EXPECT_LT(world.now() - begun, 150ms);
    EXPECT_GT(world.now() - begun, 30ms) << "it rests between two questions";
  });
}

class OpeningTwoLanes : public Opening {
 protected:
  OpeningTwoLanes() : Opening(2) {}
};

TEST_F(OpeningTwoLanes, RefusesALedgerThatDoesNotFit) {
  with_ports([&](const auto& database, const auto& stream) {
    const ports::TopicSpec specs[] = {{.name = "kept", .partitions = 2, .compacted = false},
                                      {.name = "small", .partitions = 1, .compacted = true}};
    for (const ports::TopicSpec& spec : specs) {
      ASSERT_TRUE(stream->create_topic(spec, world.now() + 1s)) << spec.name;
      options.ledger_topic = spec.name;
      const auto opened = Coordinator::open(database, stream, options);
      ASSERT_FALSE(opened) << spec.name;
      EXPECT_EQ(opened.error().code, ErrorCode::not_initialised);
      EXPECT_NE(opened.error().message.find("write-aside init"), std::string::npos);
    }
  });
}

}  // namespace
}  // namespace write_aside::simulation
