// The two lower levels, at_least_once and transactional: what they promise, and
// what they say when it goes wrong.
#include "simulation/stage.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;
using Kind = Fault::Kind;
using State = Outcome::State;

class Level : public Stage {
 protected:
  explicit Level(Guarantee guarantee) {
    judged = false;  // orphans and losses are what these levels allow
    options.guarantee = guarantee;
    options.publish_timeout = 300ms;
  }
  // Plays one unit with one fault; the process goes on living afterwards.
  void unit(const std::string& step, const Fault& fault, const std::function<void(const Outcome&)>& check) {
    play([&] {
      run(a, [&](Coordinator& coordinator) {
        if (!step.empty()) a.plan(step, fault);
        check(attempt(coordinator, 1));
        EXPECT_TRUE(attempt(coordinator, 2).is_committed()) << "the next unit is unharmed";
        EXPECT_TRUE(has_row(2));
        EXPECT_EQ(events_of(2), 1);
      });
    });
  }
  static bool says(const Outcome& outcome, const std::string& text) {
    return outcome.error() && outcome.error()->message.find(text) != std::string::npos;
  }
  Actor a{world, "a"};
};

class AtLeastOnce : public Level {
 protected:
  AtLeastOnce() : Level(Guarantee::at_least_once) {}
};

class Transactional : public Level {
 protected:
  Transactional() : Level(Guarantee::transactional) {}
};

TEST_F(AtLeastOnce, CommitsRowAndEvent) {
  unit("", {}, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.state(), State::committed);
    EXPECT_FALSE(outcome.error());
    EXPECT_TRUE(has_row(1));
    EXPECT_EQ(events_of(1), 1);
  });
}

TEST_F(AtLeastOnce, SendsNoCommitBeforeTheAcknowledgement) {
  unit("producer.delivered", {.kind = Kind::lose_reply}, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.state(), State::aborted);
    EXPECT_EQ(outcome.error()->code, ErrorCode::timeout);
    EXPECT_FALSE(has_row(1));
    EXPECT_EQ(a.count("session.commit"), 0u);
  });
}

TEST_F(AtLeastOnce, RollsBackWhenTheAcknowledgementTellsOfFailure) {
  unit("producer.delivered", refused_call, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.state(), State::aborted);
    EXPECT_FALSE(has_row(1));
  });
}

TEST_F(AtLeastOnce, ReportsAnOrphanEventWithItsId) {
  unit("session.commit", refused_call, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.state(), State::aborted);
    EXPECT_EQ(outcome.error()->effect, Effect::yes) << "the event is in the stream";
    EXPECT_FALSE(has_row(1));
    EXPECT_EQ(events_of(1), 1);
    const auto records = pair.pair.stream_state().committed("t");
    ASSERT_FALSE(records.empty());
    const auto id = std::find_if(records[0].headers.begin(), records[0].headers.end(),
                                 [](const Header& header) { return header.name == "ce_id"; });
    ASSERT_NE(id, records[0].headers.end());
    EXPECT_TRUE(says(outcome, id->value)) << outcome.error()->message;
  });
}

TEST_F(AtLeastOnce, ALostCommitReplyIsInDoubt) {
  unit("session.commit", {.kind = Kind::lose_reply},
       [&](const Outcome& outcome) { EXPECT_EQ(outcome.state(), State::in_doubt); });
}

TEST_F(Transactional, CommitsRowAndEvent) {
  unit("", {}, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.state(), State::committed);
    EXPECT_FALSE(outcome.error());
    EXPECT_TRUE(has_row(1));
    EXPECT_EQ(events_of(1), 1);
  });
}

TEST_F(Transactional, SendsNoCommitWithoutAVote) {
  unit("producer.delivered", {.kind = Kind::lose_reply}, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.state(), State::aborted);
    EXPECT_FALSE(has_row(1));
    EXPECT_EQ(events_of(1), 0);
    EXPECT_EQ(a.count("session.commit"), 0u);
  });
}

TEST_F(Transactional, RollsBackWhenTheVoteFails) {
  unit("producer.delivered", refused_call, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.state(), State::aborted);
    EXPECT_FALSE(has_row(1));
    EXPECT_EQ(events_of(1), 0);
  });
}

TEST_F(Transactional, WithdrawsTheEventsWhenTheDatabaseDoesNotCommit) {
  unit("session.commit", refused_call, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.state(), State::aborted);
    EXPECT_FALSE(has_row(1));
    EXPECT_EQ(events_of(1), 0) << "the stream transaction ends after the "
                                  "database's COMMIT, and as that did";
  });
}

TEST_F(Transactional, ALostCommitReplyIsInDoubtAndItsEventsAreWithdrawn) {
  unit("session.commit", {.kind = Kind::lose_reply}, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.state(), State::in_doubt);
    EXPECT_TRUE(says(outcome, "lost if the COMMIT landed"));
    EXPECT_EQ(events_of(1), 0);
  });
}

TEST_F(Transactional, ReportsEventsThatMayBeLost) {
  unit("producer.end", refused_call, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.state(), State::committed);
    EXPECT_TRUE(says(outcome, "may be lost"));
    EXPECT_TRUE(has_row(1));
    EXPECT_EQ(events_of(1), 0);
  });
}

TEST_F(Transactional, B4_UsesNoInstanceAgainWhoseTransactionDidNotEndCleanly) {
  unit("producer.end", {.kind = Kind::lose_reply}, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.state(), State::committed);
    EXPECT_EQ(a.count("stream.transactional_producer"), 1u);
  });
  EXPECT_EQ(a.count("stream.transactional_producer"), 2u);
}

TEST_F(Transactional, KeepsAnInstanceWhoseTransactionEndedCleanly) {
  unit("", {}, [](const Outcome&) {});
  EXPECT_EQ(a.count("stream.transactional_producer"), 1u);
}

TEST_F(Transactional, UnitsSideBySideHaveInstancesOfTheirOwn) {
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      for (const int id : {1, 3, 5}) {
        a.plan("producer.end", {.kind = Kind::delay, .delay = 100ms});
        Outcome first = Outcome::aborted({});
        const auto slow = a.simulated.start_thread("slow", [&] { first = attempt(coordinator, id); });
        world.sleep(20ms);
        const Outcome second = attempt(coordinator, id + 1);
        world.sleep(200ms);
        for (const Outcome& outcome : {first, second}) {
          EXPECT_TRUE(outcome.is_committed());
          EXPECT_FALSE(outcome.error()) << outcome.error()->message;
        }
      }
    });
  });
  for (int id = 1; id <= 6; ++id) EXPECT_EQ(events_of(id), 1) << id;
  EXPECT_EQ(a.count("stream.transactional_producer"), 2u);
}

TEST_F(Transactional, T2_UsesNoInstanceThatCouldNotBeInitialised) {
  unit("producer.initialise", refused_call, [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.state(), State::aborted);
    EXPECT_FALSE(has_row(1));
    EXPECT_EQ(a.count("producer.begin"), 0u);
  });
}

}  // namespace
}  // namespace write_aside::simulation
