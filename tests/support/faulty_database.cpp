// The database ports of faulty_ports.hpp.
#include <utility>

#include "support/faulty_call.hpp"
#include "support/faulty_ports.hpp"

namespace write_aside::support {
namespace {

using ports::Deadline;

class FaultySession final : public ports::Session {
 private:
  // Inside a transaction a lost reply has no effect: the transaction goes with the connection.
  template <class Make>
  auto call(std::string_view name, Make make) {
    return make_call(process_, name, connection_, Lost::connection, Effect::no, make);
  }

 public:
  FaultySession(FaultyProcess& process, std::unique_ptr<ports::Session> inner)
      : process_(process),
        identity_(inner->identity()),
        database_id_(inner->database_id()),
        connection_(process, std::move(inner)) {}

  Result<void> begin(Deadline deadline) override {
    journal_fault_.reset();
    return call("session.begin", [&](ports::Session& inner) {
      auto begun = wait_while_busy(process_, deadline, [&] { return inner.begin(deadline); });
      identity_ = inner.identity();
      database_id_ = inner.database_id();
      return begun;
    });
  }
  Result<Rows> execute(std::string_view sql, std::span<const Parameter> parameters) override {
    return call("session.execute", [&](ports::Session& inner) { return inner.execute(sql, parameters); });
  }
  Result<void> savepoint(int depth) override {
    return call("session.savepoint", [&](ports::Session& inner) { return inner.savepoint(depth); });
  }
  Result<void> rollback_to_savepoint(int depth) override {
    return call("session.rollback_to_savepoint",
                [&](ports::Session& inner) { return inner.rollback_to_savepoint(depth); });
  }
  Result<void> release_savepoint(int depth) override {
    return call("session.release_savepoint", [&](ports::Session& inner) { return inner.release_savepoint(depth); });
  }
  Result<std::optional<std::string>> progress(std::string_view source) override {
    return call("session.progress", [&](ports::Session& inner) { return inner.progress(source); });
  }
  Result<bool> advance(std::string_view source, std::optional<std::string_view> expected,
                       std::string_view position) override {
    return call("session.advance", [&](ports::Session& inner) { return inner.advance(source, expected, position); });
  }
  void send_journal(const ports::JournalEntry& entry) override {
    const auto sent = call("session.send_journal", [&](ports::Session& inner) -> Result<void> {
      inner.send_journal(entry);
      return {};
    });
    // A failure to send is heard of with the reply.
    if (!sent) journal_fault_ = sent.error();
  }
  Result<ports::JournalReply> receive_journal() override {
    if (journal_fault_) return failure(*std::exchange(journal_fault_, std::nullopt));
    return call("session.receive_journal", [](ports::Session& inner) { return inner.receive_journal(); });
  }
  ports::CommitReply commit(Deadline deadline) override {
    return make_call_that_may_land_late(
        process_, "session.commit", connection_, Lost::connection,
        [&](ports::Session& inner) { return inner.commit(deadline); },
        [](ports::Session& inner) { (void)inner.commit(Deadline::max()); });
  }
  Result<void> rollback() override {
    auto done = call("session.rollback", [](ports::Session& inner) { return inner.rollback(); });
    if (!done) connection_.lose();  // a session that could not roll back is unusable
    return done;
  }
  std::string identity() const override { return identity_; }
  std::string database_id() const override { return database_id_; }

 private:
  FaultyProcess& process_;
  std::string identity_;
  std::string database_id_;
  std::optional<Error> journal_fault_;
  Connection<ports::Session> connection_;
};

class FaultyOwnTransaction final : public ports::OwnTransaction {
 private:
  template <class Make>
  auto call(std::string_view name, Make make) {
    return make_call(process_, name, connection_, Lost::connection, Effect::no, make);
  }

 public:
  FaultyOwnTransaction(FaultyProcess& process, std::unique_ptr<ports::OwnTransaction> inner)
      : process_(process), connection_(process, std::move(inner)) {}

  Result<std::optional<ports::LaneRow>> lock_lane(LaneNumber lane) override {
    return call("own.lock_lane", [&](auto& inner) { return inner.lock_lane(lane); });
  }
  Result<void> write_lane(const ports::LaneRow& row, bool beat) override {
    return call("own.write_lane", [&](auto& inner) { return inner.write_lane(row, beat); });
  }
  Result<std::vector<ports::JournalRow>> undelivered_below(LaneNumber lane, std::uint64_t epoch,
                                                           std::size_t limit) override {
    return call("own.undelivered_below", [&](auto& inner) { return inner.undelivered_below(lane, epoch, limit); });
  }
  Result<std::vector<ports::JournalRow>> undelivered_labelled(LaneNumber lane, BatchId label,
                                                              std::size_t limit) override {
    return call("own.undelivered_labelled",
                [&](auto& inner) { return inner.undelivered_labelled(lane, label, limit); });
  }
  Result<std::optional<ports::JournalRow>> row(const UnitId& key) override {
    return call("own.row", [&](auto& inner) { return inner.row(key); });
  }
  Result<std::uint64_t> deliver_covered(LaneNumber lane, BatchId label) override {
    return call("own.deliver_covered", [&](auto& inner) { return inner.deliver_covered(lane, label); });
  }
  Result<std::uint64_t> deliver(const UnitId& key) override {
    return call("own.deliver", [&](auto& inner) { return inner.deliver(key); });
  }
  Result<std::uint64_t> adopt_all(LaneNumber lane, BatchId label) override {
    return call("own.adopt_all", [&](auto& inner) { return inner.adopt_all(lane, label); });
  }
  Result<bool> adopt(const UnitId& key, BatchId label) override {
    return call("own.adopt", [&](auto& inner) { return inner.adopt(key, label); });
  }
  Result<std::uint64_t> delete_settled(LaneNumber lane, BatchId upto) override {
    return call("own.delete_settled", [&](auto& inner) { return inner.delete_settled(lane, upto); });
  }
  Result<bool> insert_tombstone(const UnitId& key) override {
    return call("own.insert_tombstone", [&](auto& inner) { return inner.insert_tombstone(key); });
  }
  Result<std::optional<BatchId>> purge(LaneNumber lane, std::chrono::seconds retention) override {
    return call("own.purge", [&](auto& inner) { return inner.purge(lane, retention); });
  }
  ports::CommitReply commit() override {
    return make_call_that_may_land_late(
        process_, "own.commit", connection_, Lost::connection, [](auto& inner) { return inner.commit(); },
        [](auto& inner) { (void)inner.commit(); });
  }

 private:
  FaultyProcess& process_;
  Connection<ports::OwnTransaction> connection_;
};

class FaultyDatabase final : public ports::Database {
 private:
  template <class Make>
  auto call(std::string_view name, Effect effect, Make make) {
    return make_call(
        process_, name, make, [effect] { return effect; }, [](std::chrono::nanoseconds) { return false; });
  }

 public:
  FaultyDatabase(FaultyProcess& process, std::shared_ptr<ports::Database> inner)
      : process_(process), inner_(std::move(inner)) {}

  std::string name() const override { return inner_->name(); }
  Result<ports::Schema> create_schema(std::uint32_t lanes) override {
    return call("database.create_schema", Effect::unknown, [&] { return inner_->create_schema(lanes); });
  }
  Result<ports::Schema> schema() override {
    return call("database.schema", Effect::no, [&] { return inner_->schema(); });
  }
  Result<std::unique_ptr<ports::Session>> session(Deadline deadline) override {
    auto inner = call("database.session", Effect::no,
                      [&] { return wait_while_busy(process_, deadline, [&] { return inner_->session(deadline); }); });
    if (!inner) return inner;
    return std::make_unique<FaultySession>(process_, std::move(*inner));
  }
  Result<std::unique_ptr<ports::OwnTransaction>> own_transaction(Deadline deadline) override {
    auto inner = call("database.own_transaction", Effect::no, [&] {
      return wait_while_busy(process_, deadline, [&] { return inner_->own_transaction(deadline); });
    });
    if (!inner) return inner;
    return std::make_unique<FaultyOwnTransaction>(process_, std::move(*inner));
  }
  Result<std::vector<ports::LaneSummary>> lanes() override {
    return call("database.lanes", Effect::no, [&] { return inner_->lanes(); });
  }
  Result<std::optional<ports::LaneRow>> lane(LaneNumber lane) override {
    return call("database.lane", Effect::no, [&] { return inner_->lane(lane); });
  }
  Result<std::vector<ports::LaneRow>> lanes_in_use() override {
    return call("database.lanes_in_use", Effect::no, [&] { return inner_->lanes_in_use(); });
  }
  Result<bool> has_undelivered_below(LaneNumber lane, std::uint64_t epoch) override {
    return call("database.has_undelivered_below", Effect::no,
                [&] { return inner_->has_undelivered_below(lane, epoch); });
  }
  Result<std::optional<std::string>> progress(std::string_view source) override {
    return call("database.progress", Effect::no, [&] { return inner_->progress(source); });
  }
  Result<std::string> table_prefix() override {
    return call("database.table_prefix", Effect::no, [&] { return inner_->table_prefix(); });
  }
  Result<void> end_session(const std::string& identity, Deadline deadline) override {
    return call("database.end_session", Effect::unknown, [&] { return inner_->end_session(identity, deadline); });
  }

 private:
  FaultyProcess& process_;
  std::shared_ptr<ports::Database> inner_;
};

}  // namespace

std::shared_ptr<ports::Database> FaultyProcess::decorate(std::shared_ptr<ports::Database> database) {
  return std::make_shared<FaultyDatabase>(*this, std::move(database));
}

}  // namespace write_aside::support
