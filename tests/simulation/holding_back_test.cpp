// A stream that holds records back until the end of their transaction.
#include "simulation/stage.hpp"
#include "support/forwarding_ports.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;
using Kind = Fault::Kind;
using State = Outcome::State;
using Log = std::vector<std::string>;

class HoldingBack : public Stage {
 protected:
  HoldingBack() : Stage(1, {.holds_back = true}) {}
};

// Writes down what a producer is told.
class LoggedProducer final : public support::ForwardingTransactionalProducer {
 public:
  LoggedProducer(std::unique_ptr<ports::TransactionalProducer> inner, Log& log)
      : ForwardingTransactionalProducer(std::move(inner)), log_(log) {}
  Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token) override {
    log_.push_back(records.front().key->starts_with("f:") ? "fence" : "batch");
    return ForwardingTransactionalProducer::produce(records, token);
  }
  void hold_back() override {
    log_.emplace_back("hold back");
    ForwardingTransactionalProducer::hold_back();
  }

 private:
  Log& log_;
};

class LoggedStream final : public support::ForwardingEventStream {
 public:
  LoggedStream(std::shared_ptr<ports::EventStream> inner, Log& log)
      : ForwardingEventStream(std::move(inner)), log_(log) {}
  Result<std::unique_ptr<ports::TransactionalProducer>> transactional_producer(
      const std::string& transactional_id, std::chrono::milliseconds transaction_timeout,
      ports::Deliveries& deliveries) override {
    auto made = ForwardingEventStream::transactional_producer(transactional_id, transaction_timeout, deliveries);
    if (!made) return made;
    return std::make_unique<LoggedProducer>(std::move(*made), log_);
  }

 private:
  Log& log_;
};

// The fence is in no journal, and its offset must be its own.
TEST_F(HoldingBack, T3_IsAllowedOnceTheFenceIsCommitted) {
  Log log;
  pair.wrap_stream = [&log](std::shared_ptr<ports::EventStream> inner) {
    return std::make_shared<LoggedStream>(std::move(inner), log);
  };
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      EXPECT_EQ(attempt(coordinator, 1, Wait::visible).state(), State::committed);
      a.plan("producer.end", {.kind = Kind::lose_reply});
      EXPECT_EQ(attempt(coordinator, 2, Wait::visible).state(), State::committed);
      EXPECT_EQ(attempt(coordinator, 3, Wait::visible).state(), State::committed);
    });
    EXPECT_EQ(log, (Log{"fence", "hold back", "batch", "batch", "fence", "hold back", "batch"}));
  });
}

// Found by the simulation, when a stream said nothing of the fence before the end: the unit of epoch 1 was decided after
// one of epoch 2, which was not delivered yet. The third owner delivered both in the order of their keys.
TEST_F(HoldingBack, StrictOrder_AFormerOwnerGetsNoVote) {
  options.strict_order = true;
  Actor first(world, "first");
  Actor next(world, "next");
  play([&] {
    const auto thread = start(first, [&](Coordinator& coordinator) {
      EXPECT_EQ(attempt(coordinator, 1, Wait::visible).state(), State::committed);
      first.plan("own.lock_lane", {.kind = Kind::delay, .delay = 15s});  // no heartbeat meanwhile
      world.sleep(8s);
      EXPECT_EQ(lane_row().epoch, 2u);
      EXPECT_EQ(attempt(coordinator, 3).state(), State::aborted);
      world.sleep(20s);
    });
    world.sleep(1s);
    run(next, [&](Coordinator& coordinator) {
      next.plan("producer.end", {.kind = Kind::crash_before}, 1);  // behind the fence's
      EXPECT_EQ(attempt(coordinator, 2).state(), State::committed);
      world.sleep(1s);
    });
  });
}

TEST_F(HoldingBack, AProcessThatDiesBeforeTheEndLosesNothing) {
  Actor first(world, "first");
  Actor next(world, "next");
  play([&] {
    run(first, [&](Coordinator& coordinator) {
      first.plan("producer.end", {.kind = Kind::crash_before});
      EXPECT_EQ(attempt(coordinator, 1).state(), State::committed);
      world.sleep(1s);
    });
    EXPECT_EQ(events_of(1), 0);
    run(next,
        [&](Coordinator& coordinator) { EXPECT_EQ(attempt(coordinator, 2, Wait::visible).state(), State::committed); });
    EXPECT_EQ(pair.events(), (std::vector<int>{1, 2}));
  });
}

}  // namespace
}  // namespace write_aside::simulation
