// Goal: a warning that comes with the database's COMMIT reaches the caller, at every guarantee level, and does no harm
// to the unit. Method: the in-memory pair, behind a session that adds a warning to each reply.
#include "simulation/stage.hpp"
#include "support/forwarding_ports.hpp"

namespace write_aside::simulation {
namespace {

class WarningSession final : public ports::Session {
 public:
  explicit WarningSession(std::unique_ptr<ports::Session> inner) : inner_(std::move(inner)) {}

  Result<void> begin(ports::Deadline deadline) override { return inner_->begin(deadline); }
  Result<Rows> execute(std::string_view sql, std::span<const Parameter> parameters) override {
    return inner_->execute(sql, parameters);
  }
  Result<void> savepoint(int depth) override { return inner_->savepoint(depth); }
  Result<void> rollback_to_savepoint(int depth) override { return inner_->rollback_to_savepoint(depth); }
  Result<void> release_savepoint(int depth) override { return inner_->release_savepoint(depth); }
  Result<std::optional<std::string>> progress(std::string_view source) override { return inner_->progress(source); }
  Result<bool> advance(std::string_view source, std::optional<std::string_view> expected,
                       std::string_view position) override {
    return inner_->advance(source, expected, position);
  }
  void send_journal(const ports::JournalEntry& entry) override { inner_->send_journal(entry); }
  Result<ports::JournalReply> receive_journal() override { return inner_->receive_journal(); }
  ports::CommitReply commit(ports::Deadline deadline) override {
    ports::CommitReply reply = inner_->commit(deadline);
    if (!reply.error) reply.error = Error{.code = ErrorCode::timeout, .message = "not replicated"};
    return reply;
  }
  Result<void> rollback() override { return inner_->rollback(); }
  std::string identity() const override { return inner_->identity(); }
  std::string database_id() const override { return inner_->database_id(); }

 private:
  std::unique_ptr<ports::Session> inner_;
};

class WarningDatabase final : public support::ForwardingDatabase {
 public:
  using ForwardingDatabase::ForwardingDatabase;
  Result<std::unique_ptr<ports::Session>> session(ports::Deadline deadline) override {
    auto inner = ForwardingDatabase::session(deadline);
    if (!inner) return inner;
    return std::make_unique<WarningSession>(std::move(*inner));
  }
};

class CommitWarning : public Stage, public ::testing::WithParamInterface<Guarantee> {
 protected:
  CommitWarning() {
    options.guarantee = GetParam();
    pair.wrap_database = [](auto inner) { return std::make_shared<WarningDatabase>(std::move(inner)); };
  }
  Actor a{world, "a"};
};

TEST_P(CommitWarning, ReachesTheCallerOfAUnitThatIsCommitted) {
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      const Outcome outcome = attempt(coordinator, 1);
      EXPECT_TRUE(outcome.is_committed());
      ASSERT_TRUE(outcome.error());
      EXPECT_EQ(outcome.error()->message, "not replicated");
    });
  });
  EXPECT_TRUE(has_row(1));
  EXPECT_EQ(events_of(1), 1);
}

TEST_P(CommitWarning, ReachesTheCallerOfAUnitWithoutEvents) {
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      judged = false;  // a row without an event is what this unit is
      auto unit = coordinator.begin();
      ASSERT_TRUE(unit);
      ASSERT_TRUE(pair.write_row(*unit, 1));
      const Outcome outcome = unit->commit();
      EXPECT_TRUE(outcome.is_committed());
      EXPECT_TRUE(outcome.error());
    });
  });
}

INSTANTIATE_TEST_SUITE_P(AtEveryLevel, CommitWarning,
                         ::testing::Values(Guarantee::exactly_once, Guarantee::transactional,
                                           Guarantee::at_least_once));

}  // namespace
}  // namespace write_aside::simulation
