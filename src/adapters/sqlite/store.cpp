#include "adapters/sqlite/store.hpp"

#include <sqlite3.h>

#include <utility>

#include "adapters/sqlite/transaction_end.hpp"

namespace write_aside::sqlite {

using sqlite_handles::Connection;

Store::Store(std::string path, Options options) : path_(std::move(path)), name_("sqlite:" + path_), options_(options) {}

Result<void> Store::open() {
  const std::lock_guard lock(reader_mutex_);
  return open_reader();
}

Result<void> Store::open_reader() {
  auto connection = open_connection({.query_only = true});
  if (!connection) return failure(std::move(connection));
  reader_ = std::move(*connection);
  return {};
}

Result<std::unique_ptr<Connection>> Store::open_connection(const ConnectionUse& use) const {
  sqlite_handles::ConnectionOptions options;
  options.side = Side::database;
  options.name = name_;
  options.create = options_.create;
  options.query_only = use.query_only;
  // With payloads of 60 kB, settling a batch writes a fifth of the pages. Users' rows keep the file's own rule.
  options.secure_delete_fast = use.deletes_payloads;
  options.busy_timeout = options_.busy_timeout;
  options.synchronous_normal = options_.unsafe_synchronous_normal;
  auto connection = Connection::open(path_, options);
  if (!connection) return failure(std::move(connection));
  return std::make_unique<Connection>(std::move(*connection));
}

WriteTransaction::WriteTransaction(std::shared_ptr<Store> store, WriteLock::Turn turn, Purpose purpose)
    : store_(std::move(store)),
      turn_(std::move(turn)),
      purpose_(purpose),
      connection_(std::move(store_->idle(purpose))) {}

Result<WriteTransaction> WriteTransaction::begin(const std::shared_ptr<Store>& store, Purpose purpose,
                                                 ports::Deadline deadline) {
  const bool may_wait = store->options().busy_timeout > std::chrono::milliseconds::zero();
  auto turn = store->write_lock_.take(deadline, may_wait);
  if (!turn) {
    return failure({ErrorCode::busy,
                    Side::database,
                    Effect::no,
                    true,
                    "begin failed on " + store->name() +
                        ": another unit of this process is writing; try again, or allow more time",
                    {}});
  }
  WriteTransaction transaction(store, std::move(*turn), purpose);
  if (auto prepared = transaction.prepare_connection(deadline); !prepared) return failure(std::move(prepared));
  if (auto begun = transaction.connection_->run("BEGIN IMMEDIATE", "begin"); !begun) {
    // A connection that merely had to wait is as good as before; any other may not be.
    if (begun.error().code != ErrorCode::busy) transaction.connection_.reset();
    return failure(std::move(begun));
  }
  return transaction;
}

Result<void> WriteTransaction::prepare_connection(ports::Deadline deadline) {
  if (connection_ == nullptr) {
    auto opened = store_->open_connection({.deletes_payloads = purpose_ == Purpose::own});
    if (!opened) return failure(std::move(opened));
    connection_ = std::move(*opened);
  }
  connection_->wait_until(deadline);
  if (!store_->log_suspect_) return {};
  // The kernel may count pages as written that a failed sync lost, and a process that recovers the log may take the
  // failed COMMIT for a good one. So what is committed is copied into the file, and the log starts over.
  auto busy = connection_->read_text("PRAGMA wal_checkpoint(TRUNCATE)", "start the log over");
  if (!busy) return failure(std::move(busy));
  if (*busy != "0") return failure(connection_->error(SQLITE_BUSY, "start the log over", "a reader is using it"));
  store_->log_suspect_ = false;
  return {};
}

WriteTransaction::~WriteTransaction() {
  if (store_ == nullptr || connection_ == nullptr) return;
  if (roll_back(*connection_)) store_->idle(purpose_) = std::move(connection_);
  // Otherwise closing the connection rolls back.
  connection_.reset();
}

ports::CommitReply WriteTransaction::commit(ports::Deadline deadline) {
  connection_->wait_until(deadline);
  const bool may_wait = store_->options().busy_timeout > std::chrono::milliseconds::zero();
  ports::CommitReply reply = commit_transaction(*connection_, {Handle::own, deadline, may_wait});
  if (reply.state == ports::CommitReply::State::in_doubt) {
    store_->log_suspect_ = true;
    connection_.reset();
  }
  return reply;
}

}  // namespace write_aside::sqlite
