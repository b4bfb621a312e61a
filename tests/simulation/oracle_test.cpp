// The oracle of the random runs finds each kind of damage that it claims to find: stores that lie in one way each, and
// the guarantee levels that promise less.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "simulation/random_run.hpp"
#include "support/forwarding_ports.hpp"

namespace write_aside::simulation {
namespace {

constexpr std::uint64_t seeds_max = 2000;

// Plays seeds until one is wrong in the way that is expected.
bool finds(const std::string& expected, const RunOptionsOfTest& options) {
  for (std::uint64_t seed = 1; seed <= seeds_max; ++seed) {
    if (play_random_run(seed, options).wrong.find(expected) != std::string::npos) return true;
  }
  return false;
}

template <class Session, class OwnTransaction>
class LyingDatabase final : public support::ForwardingDatabase {
 public:
  using support::ForwardingDatabase::ForwardingDatabase;
  Result<std::unique_ptr<ports::Session>> session(ports::Deadline deadline) override {
    auto inner = support::ForwardingDatabase::session(deadline);
    if (!inner) return inner;
    return std::make_unique<Session>(std::move(*inner));
  }
  Result<std::unique_ptr<ports::OwnTransaction>> own_transaction(ports::Deadline deadline) override {
    auto inner = support::ForwardingDatabase::own_transaction(deadline);
    if (!inner) return inner;
    return std::make_unique<OwnTransaction>(std::move(*inner));
  }
};
template <class Session, class OwnTransaction = support::ForwardingOwnTransaction>
RunOptionsOfTest with_sessions() {
  return {.wrap_database = [](std::shared_ptr<ports::Database> inner) -> std::shared_ptr<ports::Database> {
    return std::make_shared<LyingDatabase<Session, OwnTransaction>>(std::move(inner));
  }};
}
template <class OwnTransaction>
RunOptionsOfTest with_transactions() {
  return with_sessions<support::ForwardingSession, OwnTransaction>();
}

TEST(Oracle, FindsNothingWhenNobodyLies) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    EXPECT_EQ(play_random_run(seed, with_sessions<support::ForwardingSession>()).wrong, "") << "seed " << seed;
  }
}

class CommitsNothing final : public support::ForwardingSession {
 public:
  using support::ForwardingSession::ForwardingSession;
  ports::CommitReply commit(ports::Deadline) override {
    (void)rollback();
    return {ports::CommitReply::State::committed, {}};
  }
};
TEST(Oracle, FindsAnEventThatIsVisibleWithoutADecision) {
  EXPECT_TRUE(finds("visible before its unit is decided", with_sessions<CommitsNothing>()));
}
TEST(Oracle, FindsAnOrphan) { EXPECT_TRUE(finds("orphan", with_sessions<CommitsNothing>())); }
TEST(Oracle, FindsACommitThatWasReportedAndIsNot) {
  EXPECT_TRUE(finds("reported committed, has no row", with_sessions<CommitsNothing>()));
}

class DeniesItsCommits final : public support::ForwardingSession {
 public:
  using support::ForwardingSession::ForwardingSession;
  ports::CommitReply commit(ports::Deadline deadline) override {
    ports::CommitReply reply = support::ForwardingSession::commit(deadline);
    if (reply.state != ports::CommitReply::State::committed) return reply;
    return {ports::CommitReply::State::aborted, Error{.code = ErrorCode::constraint, .message = "a lie"}};
  }
};
TEST(Oracle, FindsAnAbortThatWasReportedAndIsNot) {
  EXPECT_TRUE(finds("reported aborted, has its row", with_sessions<DeniesItsCommits>()));
}

class HidesWhatIsToBeDelivered final : public support::ForwardingOwnTransaction {
 public:
  using support::ForwardingOwnTransaction::ForwardingOwnTransaction;
  Result<std::vector<ports::JournalRow>> undelivered_labelled(LaneNumber, BatchId, std::size_t) override {
    return std::vector<ports::JournalRow>{};
  }
};
TEST(Oracle, FindsWhatIsNeverDelivered) {
  EXPECT_TRUE(finds("is not settled", with_transactions<HidesWhatIsToBeDelivered>()));
}

class MarksEverythingDelivered final : public support::ForwardingOwnTransaction {
 public:
  using support::ForwardingOwnTransaction::ForwardingOwnTransaction;
  Result<std::uint64_t> adopt_all(LaneNumber lane, BatchId label) override {
    const auto rows = undelivered_below(lane, label.epoch, 1000);
    if (!rows) return failure(rows);
    for (const ports::JournalRow& row : *rows) {
      if (auto delivered = deliver(row.key); !delivered) return delivered;
    }
    return std::uint64_t{0};
  }
};
TEST(Oracle, FindsALostEvent) { EXPECT_TRUE(finds("lost", with_transactions<MarksEverythingDelivered>())); }

class DeliversInReverse final : public support::ForwardingOwnTransaction {
 public:
  using support::ForwardingOwnTransaction::ForwardingOwnTransaction;
  Result<std::vector<ports::JournalRow>> undelivered_labelled(LaneNumber lane, BatchId label,
                                                              std::size_t limit) override {
    auto rows = support::ForwardingOwnTransaction::undelivered_labelled(lane, label, limit);
    if (rows) std::reverse(rows->begin(), rows->end());
    return rows;
  }
};
TEST(Oracle, FindsEventsOutOfOrder) { EXPECT_TRUE(finds("out of order", with_transactions<DeliversInReverse>())); }

// The last ledger record is not shown: what is in the stream is produced again.
class ForgetfulReader final : public support::ForwardingReader {
 public:
  using support::ForwardingReader::ForwardingReader;
  Result<std::vector<ports::StoredRecord>> poll(std::size_t records_max, ports::Deadline deadline) override {
    auto records = support::ForwardingReader::poll(records_max, deadline);
    if (!records) return records;
    std::erase_if(*records,
                  [](const ports::StoredRecord& record) { return record.key && record.key->starts_with("o:"); });
    return records;
  }
};
class StreamWithForgetfulReaders final : public support::ForwardingEventStream {
 public:
  using support::ForwardingEventStream::ForwardingEventStream;
  Result<std::unique_ptr<ports::Reader>> reader(const std::vector<ports::ReadFrom>& from,
                                                ports::Isolation isolation) override {
    auto inner = support::ForwardingEventStream::reader(from, isolation);
    if (!inner) return inner;
    return std::make_unique<ForgetfulReader>(std::move(*inner));
  }
};
TEST(Oracle, FindsADuplicate) {
  EXPECT_TRUE(finds("duplicate", {.wrap_stream = [](std::shared_ptr<ports::EventStream> inner) {
                      return std::make_shared<StreamWithForgetfulReaders>(std::move(inner));
                    }}));
}

// Of several records of one call only the first arrives.
class DropsRecords final : public support::ForwardingTransactionalProducer {
 public:
  using support::ForwardingTransactionalProducer::ForwardingTransactionalProducer;
  Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token) override {
    return support::ForwardingTransactionalProducer::produce(records.size() > 2 ? records.first(2) : records, token);
  }
};
class StreamThatDropsRecords final : public support::ForwardingEventStream {
 public:
  using support::ForwardingEventStream::ForwardingEventStream;
  Result<std::unique_ptr<ports::TransactionalProducer>> transactional_producer(const std::string& id,
                                                                               std::chrono::milliseconds timeout,
                                                                               ports::Deliveries& deliveries) override {
    auto inner = support::ForwardingEventStream::transactional_producer(id, timeout, deliveries);
    if (!inner) return inner;
    return std::make_unique<DropsRecords>(std::move(*inner));
  }
};
TEST(Oracle, FindsATornUnit) {
  EXPECT_TRUE(finds("torn", {.wrap_stream = [](std::shared_ptr<ports::EventStream> inner) {
                      return std::make_shared<StreamThatDropsRecords>(std::move(inner));
                    }}));
}

TEST(Oracle, FindsWhatTheLevelTransactionalLoses) {
  EXPECT_TRUE(finds("lost", {.guarantee = Guarantee::transactional}));
}
TEST(Oracle, FindsTheOrphansOfAtLeastOnce) { EXPECT_TRUE(finds("orphan", {.guarantee = Guarantee::at_least_once})); }

}  // namespace
}  // namespace write_aside::simulation
