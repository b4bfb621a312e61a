// Goal: a child that is forked while a coordinator is open is told to open its own, and whatever it does with the one
// that it inherited, its parent's stores do not notice.
// Method: fork() with the embedded pair open on real files. The child says by its exit status what it saw; the parent
// goes on afterwards, and both stores are read.
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <optional>

#include "integration/embedded_fixture.hpp"
#include "write_aside/consumer.hpp"

namespace write_aside::integration {
namespace {

using namespace std::chrono_literals;

constexpr unsigned child_seconds_max = 20;

bool tells_of_the_fork(const Error& error) {
  return error.code == ErrorCode::invalid_argument && error.side == Side::caller && !error.retriable &&
         error.message.find("after the fork") != std::string::npos;
}

class Forking : public EmbeddedFixture {
 protected:
  Forking() { open(); }

  // True if the child came to its end and found everything as it should be. One that hangs is ended by its alarm.
  static bool in_child(const std::function<bool()>& body) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(child_seconds_max);
      _exit(body() ? 0 : 1);
    }
    int status = -1;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  void expect_that_the_parent_goes_on(Ids all) {
    for (std::int64_t id = 100; id < 105; ++id) {
      EXPECT_TRUE(commit(id).is_committed());
      all.push_back(id);
    }
    EXPECT_EQ(rows(), all);
    EXPECT_EQ(events(), all);
    coordinator_.reset();
    const auto lanes = database_->lanes().value();
    for (const ports::LaneSummary& lane : lanes) EXPECT_EQ(lane.undelivered, 0u);
  }
};

TEST_F(Forking, AChildIsToldToOpenACoordinatorOfItsOwn) {
  EXPECT_TRUE(commit(1).is_committed());
  EXPECT_TRUE(in_child([this] {
    const auto begun = coordinator_->begin();
    const Outcome ran = coordinator_->run([](UnitOfWork& unit) { return write(unit, 2); });
    const auto flushed = coordinator_->flush(1s);
    const Outcome resolved = coordinator_->resolve({0, 1, 1, 1});
    return !begun && tells_of_the_fork(begun.error()) && ran.state() == Outcome::State::aborted &&
           tells_of_the_fork(*ran.error()) && !flushed && tells_of_the_fork(flushed.error()) &&
           resolved.state() == Outcome::State::in_doubt && tells_of_the_fork(*resolved.error()) &&
           coordinator_->lanes().empty();
  }));
  expect_that_the_parent_goes_on({1});
}

TEST_F(Forking, AChildThatDestroysWhatItInheritedDisturbsNobody) {
  EXPECT_TRUE(commit(1).is_committed());
  EXPECT_TRUE(in_child([this] {
    coordinator_.reset();
    database_.reset();
    stream_.reset();
    return true;
  }));
  expect_that_the_parent_goes_on({1});
}

TEST_F(Forking, AUnitOfTheParentStaysTheParents) {
  std::optional<UnitOfWork> unit = coordinator_->begin().value();
  ASSERT_TRUE(write(*unit, 1));
  EXPECT_TRUE(in_child([&unit] {
    const auto written = write(*unit, 2);
    const auto published = unit->publish({.topic = "orders", .type = "order", .value = "2"});
    const Outcome outcome = unit->commit();
    unit->rollback();
    unit.reset();
    return !written && tells_of_the_fork(written.error()) && !published && tells_of_the_fork(published.error()) &&
           outcome.state() == Outcome::State::in_doubt && tells_of_the_fork(*outcome.error());
  }));
  EXPECT_TRUE(unit->commit(Wait::visible).is_committed());
  unit.reset();
  expect_that_the_parent_goes_on({1});
}

TEST_F(Forking, AConsumerDoesNotRunInAChild) {
  const auto nothing = [](UnitOfWork&, std::span<const ReceivedEvent>) -> Result<void> { return {}; };
  auto consumer = Consumer::open(*coordinator_, {.name = "c", .topics = {"orders"}}).value();
  EXPECT_TRUE(in_child([&] {
    const auto ran = consumer->run_to_end(nothing);
    const auto opened = Consumer::open(*coordinator_, {.name = "d", .topics = {"orders"}});
    consumer.reset();
    return !ran && tells_of_the_fork(ran.error()) && !opened && tells_of_the_fork(opened.error());
  }));
  EXPECT_TRUE(commit(1).is_committed());
  EXPECT_TRUE(consumer->run_to_end(nothing));
  consumer.reset();
  expect_that_the_parent_goes_on({1});
}

}  // namespace
}  // namespace write_aside::integration
