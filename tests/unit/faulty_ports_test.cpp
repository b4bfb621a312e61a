// Goal: a fault at a port does exactly what its kind says, to the caller and to the stores, so that a scenario with
// planned faults tests what it claims to. Method: a process with faults on the fakes, in a World; then look at the
// fakes' state.
#include "support/faulty_ports.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/fake_database.hpp"
#include "support/fake_event_stream.hpp"
#include "support/forwarding_ports.hpp"

namespace write_aside::support {
namespace {

using namespace std::chrono_literals;
using State = ports::CommitReply::State;
using Kind = Fault::Kind;
using Texts = std::map<std::string, std::string>;

void must(const Result<void>& result) { ASSERT_TRUE(result.has_value()) << result.error().message; }

class Acknowledgements final : public ports::Deliveries {
 public:
  void delivered(std::uint64_t token, Result<std::int64_t> offset) override {
    heard.push_back(std::to_string(token) + (offset ? " at " + std::to_string(*offset) : " failed"));
  }
  std::vector<std::string> heard;
};

class FaultyPorts : public testing::Test {
 protected:
  FaultyPorts() {
    FakeDatabase(database_state_, world_.outside()).create_schema(2).value();
    (void)FakeEventStream(stream_state_, world_.outside()).create_topic({.name = "t"}, world_.now()).value();
  }
  // A process with its ports, which must outlive what it opens.
  struct Party {
    explicit Party(FaultyPorts& test, const std::string& name)
        : simulated(test.world_.process(name)),
          process(simulated),
          database(process.decorate(std::make_shared<FakeDatabase>(test.database_state_, simulated))),
          stream(process.decorate(std::make_shared<FakeEventStream>(test.stream_state_, simulated))) {}
    SimulatedProcess& simulated;
    FaultyProcess process;
    std::shared_ptr<ports::Database> database;
    std::shared_ptr<ports::EventStream> stream;
  };
  [[nodiscard]] ports::Deadline soon() const { return world_.now() + 5s; }
  std::unique_ptr<ports::Session> begin(Party& party) {
    auto session = party.database->session(soon()).value();
    must(session->begin(soon()));
    return session;
  }
  static Result<Rows> put(ports::Session& session, const char* key, const char* value) {
    const Parameter parameters[] = {key, value};
    return session.execute("put ? ?", parameters);
  }
  std::unique_ptr<ports::TransactionalProducer> stage(Party& party, std::uint64_t token = 1) {
    auto producer = party.stream->transactional_producer("id", 60s, acknowledgements_).value();
    must(producer->initialise(soon()));
    must(producer->begin());
    (void)produce(*producer, token);
    return producer;
  }
  static Result<void> produce(ports::TransactionalProducer& producer, std::uint64_t token) {
    const ports::RecordView record{.topic = "t", .value = "x"};
    return producer.produce({&record, 1}, token);
  }
  void play(std::function<void()> scene) { EXPECT_EQ(world_.run(std::move(scene)), ""); }

  World world_{11};
  std::shared_ptr<FakeDatabaseState> database_state_ = std::make_shared<FakeDatabaseState>(world_.outside());
  std::shared_ptr<FakeEventStreamState> stream_state_ = std::make_shared<FakeEventStreamState>(world_.outside());
  Acknowledgements acknowledgements_;
};

TEST_F(FaultyPorts, CountsTheStepsByName) {
  play([&] {
    Party party(*this, "a");
    auto session = begin(party);
    put(*session, "k", "v").value();
    EXPECT_EQ(session->commit(soon()).state, State::committed);
    EXPECT_EQ(party.process.steps(),
              (std::vector<std::string>{"database.session", "session.begin", "session.execute", "session.commit"}));
  });
  EXPECT_EQ(database_state_->user_rows(), (Texts{{"k", "v"}}));
}

TEST_F(FaultyPorts, CrashesBeforeACommitWithoutEffect) {
  play([&] {
    Party party(*this, "a");
    party.process.plan(3, {.kind = Kind::crash_before});
    auto session = begin(party);
    put(*session, "k", "v").value();
    EXPECT_EQ(session->commit(soon()).state, State::in_doubt);
    EXPECT_TRUE(party.process.killed());
    EXPECT_EQ(party.process.planned(), 0u);
    EXPECT_EQ(database_state_->open_transactions(), 0u);
  });
  EXPECT_EQ(database_state_->user_rows(), Texts{});
}

TEST_F(FaultyPorts, CrashesAfterACommitThatTookEffect) {
  play([&] {
    Party party(*this, "a");
    party.process.plan_next("session.commit", {.kind = Kind::crash_after});
    auto session = begin(party);
    put(*session, "k", "v").value();
    EXPECT_EQ(session->commit(soon()).state, State::in_doubt);
    EXPECT_TRUE(party.process.killed());
  });
  EXPECT_EQ(database_state_->user_rows(), (Texts{{"k", "v"}}));
}

TEST_F(FaultyPorts, RefusesEveryCallOfADeadProcessAndDropsWhatItHeld) {
  play([&] {
    Party party(*this, "a");
    auto session = begin(party);
    put(*session, "k", "v").value();
    auto own = party.database->own_transaction(soon()).value();
    EXPECT_TRUE(own->lock_lane(0).has_value());
    auto producer = stage(party);
    EXPECT_EQ(database_state_->open_transactions(), 2u);
    const std::size_t steps = party.process.steps().size();
    party.process.kill();
    EXPECT_EQ(database_state_->open_transactions(), 0u);
    EXPECT_FALSE(put(*session, "l", "w").has_value());
    EXPECT_FALSE(own->lock_lane(1).has_value());
    EXPECT_EQ(own->commit().state, State::in_doubt);
    EXPECT_FALSE(producer->end(ports::Ending::commit, soon()).clean);
    EXPECT_FALSE(party.database->session(soon()).has_value());
    EXPECT_FALSE(party.stream->identity().has_value());
    EXPECT_EQ(party.process.steps().size(), steps);
    // As when a process dies: the stream's transaction stays open until somebody fences it.
    EXPECT_EQ(stream_state_->open_transactions(), 1u);
  });
}

TEST_F(FaultyPorts, FailsACallWithoutEffect) {
  play([&] {
    Party party(*this, "a");
    Error error{.code = ErrorCode::storage_full, .effect = Effect::no, .message = "full"};
    party.process.plan_next("session.execute", {.kind = Kind::fail, .error = error});
    auto session = begin(party);
    const auto refused = put(*session, "k", "v");
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::storage_full);
    put(*session, "l", "w").value();
    party.process.plan_next("session.commit", {.kind = Kind::fail});
    EXPECT_EQ(session->commit(soon()).state, State::aborted);
  });
  EXPECT_EQ(database_state_->user_rows(), Texts{});
}

TEST_F(FaultyPorts, LosesTheReplyToACommitThatTookEffect) {
  play([&] {
    Party party(*this, "a");
    party.process.plan_next("session.commit", {.kind = Kind::lose_reply});
    auto session = begin(party);
    put(*session, "k", "v").value();
    EXPECT_EQ(session->commit(soon()).state, State::in_doubt);
    EXPECT_FALSE(session->begin(soon()).has_value()) << "the connection is lost";
    EXPECT_FALSE(party.process.killed());
  });
  EXPECT_EQ(database_state_->user_rows(), (Texts{{"k", "v"}}));
}

TEST_F(FaultyPorts, RollsBackWhenTheConnectionIsLostInsideATransaction) {
  play([&] {
    Party party(*this, "a");
    auto session = begin(party);
    party.process.plan_next("session.execute", {.kind = Kind::lose_reply});
    const auto lost = put(*session, "k", "v");
    ASSERT_FALSE(lost.has_value());
    EXPECT_EQ(lost.error().effect, Effect::no);
    EXPECT_EQ(database_state_->open_transactions(), 0u);
    EXPECT_EQ(session->commit(soon()).state, State::in_doubt);
  });
  EXPECT_EQ(database_state_->user_rows(), Texts{});
}

TEST_F(FaultyPorts, LetsACommitLandAfterItsProcessDied) {
  play([&] {
    Party party(*this, "a");
    party.process.plan_next("session.commit", {.kind = Kind::crash_after, .delay = 3s});
    auto session = begin(party);
    put(*session, "k", "v").value();
    EXPECT_EQ(session->commit(soon()).state, State::in_doubt);
    EXPECT_TRUE(party.process.killed());
    world_.sleep(1s);
    EXPECT_EQ(database_state_->user_rows(), Texts{});
    world_.sleep(3s);
    EXPECT_EQ(database_state_->user_rows(), (Texts{{"k", "v"}}));
  });
}

TEST_F(FaultyPorts, KeepsALateCommitFromLandingOnceItsSessionIsEnded) {
  play([&] {
    Party party(*this, "a");
    party.process.plan_next("session.commit", {.kind = Kind::lose_reply, .delay = 3s});
    auto session = begin(party);
    put(*session, "k", "v").value();
    EXPECT_EQ(session->commit(soon()).state, State::in_doubt);
    must(party.database->end_session(session->identity(), soon()));
    world_.sleep(5s);
  });
  EXPECT_EQ(database_state_->user_rows(), Texts{});
}

TEST_F(FaultyPorts, LetsTheServerNoticeADeathLater) {
  play([&] {
    Party party(*this, "a");
    party.process.set_linger(2s);
    auto session = begin(party);
    put(*session, "k", "v").value();
    party.process.kill();
    EXPECT_EQ(database_state_->open_transactions(), 1u);
    world_.sleep(3s);
    EXPECT_EQ(database_state_->open_transactions(), 0u);
  });
  EXPECT_EQ(database_state_->user_rows(), Texts{});
}

TEST_F(FaultyPorts, DelaysACallInSimulatedTime) {
  play([&] {
    Party party(*this, "a");
    party.process.plan_next("session.commit", {.kind = Kind::delay, .delay = 7s});
    auto session = begin(party);
    const TimePoint before = world_.now();
    EXPECT_EQ(session->commit(soon()).state, State::committed);
    EXPECT_EQ(world_.now(), before + 7s);
  });
}

TEST_F(FaultyPorts, MakesACallAtOnceWhoseReplyIsLate) {
  play([&] {
    Party party(*this, "a");
    party.process.plan_next("session.commit", {.kind = Kind::late_reply, .delay = 7s});
    auto session = begin(party);
    put(*session, "k", "v").value();
    const TimePoint before = world_.now();
    auto watcher = world_.outside().start_thread("watcher", [&] {
      world_.sleep(1s);
      EXPECT_TRUE(database_state_->has_user_row("k"));
    });
    EXPECT_EQ(session->commit(soon()).state, State::committed);
    EXPECT_EQ(world_.now(), before + 7s);
  });
}

TEST_F(FaultyPorts, LetsTheServerNoticeALostConnectionLater) {
  play([&] {
    Party party(*this, "a");
    party.process.set_linger(2s);
    party.process.plan_next("session.execute", {.kind = Kind::lose_reply});
    auto session = begin(party);
    EXPECT_FALSE(put(*session, "k", "v"));
    EXPECT_EQ(database_state_->open_transactions(), 1u);
    EXPECT_EQ(session->commit(soon()).state, State::in_doubt) << "nothing is sent on it any more";
    world_.sleep(3s);
    EXPECT_EQ(database_state_->open_transactions(), 0u);
  });
  EXPECT_EQ(database_state_->user_rows(), Texts{});
}

TEST_F(FaultyPorts, LetsAWatcherChangeWhatGoesWrong) {
  play([&] {
    Party party(*this, "a");
    party.process.watch([](std::string_view step, std::optional<Fault>& fault) {
      if (step == "session.commit") fault = Fault{.kind = Kind::fail};
    });
    auto session = begin(party);
    EXPECT_EQ(session->commit(soon()).state, State::aborted);
  });
}

TEST_F(FaultyPorts, ARestartOfTheDatabaseRollsBackWhatIsOpenAndEndsEverySession) {
  play([&] {
    Party party(*this, "a");
    auto session = begin(party);
    put(*session, "k", "v").value();
    auto own = party.database->own_transaction(soon()).value();
    (void)own->lock_lane(0).value();
    database_state_->restart();
    EXPECT_EQ(database_state_->open_transactions(), 0u);
    EXPECT_EQ(session->commit(soon()).state, State::in_doubt);
    EXPECT_EQ(own->commit().state, State::aborted);
    auto next = begin(party);
    put(*next, "k", "w").value();
    EXPECT_EQ(next->commit(soon()).state, State::committed);
  });
  EXPECT_EQ(database_state_->user_rows(), (Texts{{"k", "w"}}));
}

TEST_F(FaultyPorts, WaitsForARowLockInSimulatedTime) {
  play([&] {
    Party first(*this, "a");
    Party second(*this, "b");
    auto holder = begin(first);
    put(*holder, "k", "first").value();
    const auto waiting = second.simulated.start_thread("main", [&] {
      auto session = begin(second);
      put(*session, "k", "second").value();
      EXPECT_EQ(session->commit(soon()).state, State::committed);
    });
    world_.sleep(1s);
    EXPECT_EQ(holder->commit(soon()).state, State::committed);
  });
  EXPECT_EQ(database_state_->user_rows(), (Texts{{"k", "second"}}));
}

TEST_F(FaultyPorts, DropsASessionThatDiesWhileItWaitsForALock) {
  play([&] {
    Party first(*this, "a");
    Party second(*this, "b");
    auto holder = begin(first);
    put(*holder, "k", "first").value();
    const auto waiting = second.simulated.start_thread("main", [&] {
      auto session = begin(second);
      EXPECT_FALSE(put(*session, "k", "second").has_value());
      EXPECT_EQ(session->commit(soon()).state, State::in_doubt);
    });
    world_.sleep(1s);
    second.process.kill();
    world_.sleep(1ms);
    EXPECT_EQ(database_state_->open_transactions(), 1u);
    EXPECT_EQ(holder->commit(soon()).state, State::committed);
  });
  EXPECT_EQ(database_state_->user_rows(), (Texts{{"k", "first"}}));
}

TEST_F(FaultyPorts, LosesTheReplyToAnEndThatTookEffect) {
  play([&] {
    Party party(*this, "a");
    party.process.plan_next("producer.end", {.kind = Kind::lose_reply});
    auto producer = stage(party);
    const ports::EndReport report = producer->end(ports::Ending::commit, soon());
    EXPECT_FALSE(report.clean);
    EXPECT_TRUE(report.error.has_value());
  });
  EXPECT_EQ(stream_state_->committed("t").size(), 1u);
}

TEST_F(FaultyPorts, FencesLateWhatWasBegunMeanwhile) {
  play([&] {
    Party dead(*this, "a");
    dead.process.plan_next("producer.initialise", {.kind = Kind::crash_after, .delay = 3s});
    auto late = dead.stream->transactional_producer("id", 60s, acknowledgements_).value();
    EXPECT_FALSE(late->initialise(soon()));
    Party next(*this, "b");
    auto producer = stage(next);
    world_.sleep(5s);
    EXPECT_FALSE(producer->end(ports::Ending::commit, soon()).clean);
  });
  EXPECT_EQ(stream_state_->committed("t").size(), 0u);
  EXPECT_EQ(stream_state_->open_transactions(), 0u);
}

TEST_F(FaultyPorts, CannotEndLateWhatWasFencedMeanwhile) {
  play([&] {
    Party party(*this, "a");
    party.process.plan_next("producer.end", {.kind = Kind::crash_after, .delay = 3s});
    auto producer = stage(party);
    EXPECT_FALSE(producer->end(ports::Ending::commit, soon()).clean);
    Party next(*this, "b");
    auto fencing = next.stream->transactional_producer("id", 60s, acknowledgements_).value();
    must(fencing->initialise(soon()));
    world_.sleep(5s);
  });
  EXPECT_EQ(stream_state_->committed("t").size(), 0u);
}

TEST_F(FaultyPorts, TellsOfALostReplyToProduceByItsAcknowledgement) {
  play([&] {
    Party party(*this, "a");
    auto producer = stage(party, 1);
    party.process.plan_next("producer.produce", {.kind = Kind::lose_reply});
    EXPECT_TRUE(produce(*producer, 2).has_value());
    EXPECT_TRUE(producer->end(ports::Ending::commit, soon()).clean);
  });
  EXPECT_EQ(acknowledgements_.heard, (std::vector<std::string>{"1 at 0", "2 failed"}));
  EXPECT_EQ(stream_state_->committed("t").size(), 2u) << "the record is there, whatever the producer heard";
}

TEST_F(FaultyPorts, FailsDelaysAndLosesAcknowledgements) {
  play([&] {
    Party party(*this, "a");
    auto producer = stage(party, 1);
    party.process.plan_next("producer.delivered", {.kind = Kind::fail});
    EXPECT_TRUE(produce(*producer, 2).has_value());
    party.process.plan_next("producer.delivered", {.kind = Kind::lose_reply});
    EXPECT_TRUE(produce(*producer, 3).has_value());
    party.process.plan_next("producer.delivered", {.kind = Kind::delay, .delay = 1s});
    EXPECT_TRUE(produce(*producer, 4).has_value());
    EXPECT_TRUE(produce(*producer, 5).has_value());
    party.process.plan_next("producer.delivered", {.kind = Kind::delay, .delay = 5s});
    EXPECT_TRUE(produce(*producer, 6).has_value());
    world_.sleep(2s);
    producer.reset();  // nobody hears of 6 any more
  });
  EXPECT_EQ(acknowledgements_.heard, (std::vector<std::string>{"1 at 0", "2 failed", "5 at 4", "4 at 3"}));
}

TEST_F(FaultyPorts, CrashesAtAnAcknowledgement) {
  play([&] {
    Party party(*this, "a");
    party.process.plan_next("producer.delivered", {.kind = Kind::crash_before});
    auto producer = stage(party, 1);
    EXPECT_TRUE(party.process.killed());
  });
  EXPECT_TRUE(acknowledgements_.heard.empty());
}

TEST_F(FaultyPorts, WaitsForRecordsInSimulatedTime) {
  play([&] {
    Party party(*this, "a");
    auto reader = party.stream->reader({{"t", 0, 0}}, ports::Isolation::read_committed).value();
    const TimePoint before = world_.now();
    EXPECT_TRUE(reader->poll(1, before + 10s).value().empty());
    EXPECT_EQ(world_.now(), before + 10s);
    const auto later = party.simulated.start_thread("producer", [&] {
      world_.sleep(1s);
      EXPECT_TRUE(stage(party)->end(ports::Ending::commit, soon()).clean);
    });
    EXPECT_EQ(reader->poll(1, world_.now() + 10s).value().size(), 1u);
    EXPECT_LT(world_.now(), before + 12s);
  });
}

TEST_F(FaultyPorts, GivesTheSameRunUnderTheSameSeed) {
  const auto fingerprint = [](std::uint64_t seed) {
    World world(seed);
    const auto state = std::make_shared<FakeDatabaseState>(world.outside());
    FakeDatabase(state, world.outside()).create_schema(1).value();
    EXPECT_EQ(world.run([&] {
      FaultyProcess a(world.process("a"));
      FaultyProcess b(world.process("b"));
      std::vector<std::unique_ptr<ports::Thread>> threads;
      for (FaultyProcess* process : {&a, &b}) {
        SimulatedProcess& simulated = world.process(process == &a ? "a" : "b");
        threads.push_back(simulated.start_thread("main", [&world, &simulated, process, state] {
          const auto database = process->decorate(std::make_shared<FakeDatabase>(state, simulated));
          for (int i = 0; i < 5; ++i) {
            auto own = database->own_transaction(world.now() + 5s).value();
            auto row = own->lock_lane(0).value().value();
            row.epoch += 1;
            must(own->write_lane(row, true));
            EXPECT_EQ(own->commit().state, State::committed);
          }
        }));
      }
    }),
              "");
    EXPECT_EQ(state->lane_row(0)->epoch, 10u);
    return world.fingerprint();
  };
  EXPECT_EQ(fingerprint(1), fingerprint(1));
  EXPECT_NE(fingerprint(1), fingerprint(2));
}

TEST(FaultyPortsWithoutAWorld, CrashesOnRealThreads) {
  const auto state = std::make_shared<FakeDatabaseState>(ports::system_runtime());
  FakeDatabase(state, ports::system_runtime()).create_schema(1).value();
  FaultyProcess process("a");
  process.plan_next("own.write_lane", {.kind = Kind::crash_after});
  const auto database = process.decorate(std::make_shared<FakeDatabase>(state, ports::system_runtime()));
  auto own = database->own_transaction(std::chrono::steady_clock::now() + 5s).value();
  auto row = own->lock_lane(0).value().value();
  row.epoch = 1;
  EXPECT_FALSE(own->write_lane(row, true).has_value());
  EXPECT_EQ(own->commit().state, State::in_doubt);
  EXPECT_EQ(state->open_transactions(), 0u);
  EXPECT_EQ(state->lane_row(0)->epoch, 0u);
}

// Its producer acknowledges a call with the next one, as one that works on a thread of its own may.
class LateAcknowledgements final : public ForwardingEventStream {
 public:
  LateAcknowledgements() : ForwardingEventStream(nullptr) {}
  Result<std::unique_ptr<ports::Producer>> producer(ports::Deliveries& deliveries) override {
    return std::make_unique<Late>(deliveries);
  }

 private:
  class Late final : public ports::Producer {
   public:
    explicit Late(ports::Deliveries& deliveries) : deliveries_(deliveries) {}
    Result<void> produce(std::span<const ports::RecordView>, std::uint64_t token) override {
      if (last_ != 0) deliveries_.delivered(last_, 7);
      last_ = token;
      return {};
    }

   private:
    ports::Deliveries& deliveries_;
    std::uint64_t last_ = 0;
  };
};

class FaultyPortsOnRealThreads : public testing::Test {
 protected:
  // What is heard of the acknowledgements of two calls.
  std::vector<std::string> acknowledged(const std::string& step, Fault fault) {
    process.plan_next(step, std::move(fault));
    const auto stream = process.decorate(std::make_shared<LateAcknowledgements>());
    Acknowledgements heard;
    const auto producer = stream->producer(heard).value();
    for (const std::uint64_t token : {1u, 2u, 3u}) must(producer->produce({}, token));
    return heard.heard;
  }
  FaultyProcess process{"a"};
};

TEST_F(FaultyPortsOnRealThreads, StrikeWhatComesAfterItsCall) {
  using Heard = std::vector<std::string>;
  EXPECT_EQ(acknowledged("none", {}), (Heard{"1 at 7", "2 at 7"}));
  EXPECT_EQ(acknowledged("producer.delivered", {.kind = Kind::fail}), (Heard{"1 failed", "2 at 7"}));
  EXPECT_EQ(acknowledged("producer.delivered", {.kind = Kind::lose_reply}), (Heard{"2 at 7"}));
}

TEST_F(FaultyPortsOnRealThreads, TellOfNoSuccessWhereTheReplyToTheCallWasLost) {
  EXPECT_EQ(acknowledged("plain_producer.produce", {.kind = Kind::lose_reply}),
            (std::vector<std::string>{"1 failed", "2 at 7"}));
}

TEST_F(FaultyPortsOnRealThreads, TakeTheTimeThatADelayTakes) {
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(acknowledged("producer.delivered", {.kind = Kind::delay, .delay = 20ms}).size(), 2u);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 20ms);
}

TEST_F(FaultyPortsOnRealThreads, DieAsTheyAreTold) {
  bool dead = false;
  process.set_death([&] { dead = true; });
  acknowledged("stream.producer", {.kind = Kind::delay});
  EXPECT_FALSE(dead);
  process.plan_next("stream.topics", {.kind = Kind::crash_before});
  EXPECT_FALSE(process.decorate(std::make_shared<LateAcknowledgements>())->topics().has_value());
  EXPECT_TRUE(dead);
}

}  // namespace
}  // namespace write_aside::support
