// What the sessions and transactions of one opened database share: the turn to write, one connection for units, one
// for the library's own transactions, one for reads.
//
// SQLite lets one transaction write at a time, so one connection for units is enough: whoever has the turn has the
// connection, with its statements prepared and its pages in memory. The library's own transactions have another one,
// which a user's statements (temporary tables, PRAGMA) cannot touch.
//
// Safe from many threads.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "adapters/sqlite/write_lock.hpp"
#include "adapters/sqlite_handles/connection.hpp"
#include "write_aside/adapters/sqlite.hpp"

namespace write_aside::sqlite {

enum class Purpose { units, own };

class Store;

// The turn to write and an open transaction. Destroyed, it rolls back, and closes a connection on which that failed.
class WriteTransaction {
 public:
  [[nodiscard]] static Result<WriteTransaction> begin(const std::shared_ptr<Store>& store, Purpose purpose,
                                                      ports::Deadline deadline);
  WriteTransaction(WriteTransaction&&) noexcept = default;
  WriteTransaction& operator=(WriteTransaction&&) = delete;
  ~WriteTransaction();

  [[nodiscard]] sqlite_handles::Connection& connection() { return *connection_; }
  // The transaction is over, and the connection stays or, after a doubt, is closed.
  [[nodiscard]] ports::CommitReply commit(ports::Deadline deadline);

 private:
  WriteTransaction(std::shared_ptr<Store> store, WriteLock::Turn turn, Purpose purpose);
  // A connection, on a log that can be built on.
  [[nodiscard]] Result<void> prepare_connection(ports::Deadline deadline);

  std::shared_ptr<Store> store_;
  WriteLock::Turn turn_;  // given back after the connection, before the store
  Purpose purpose_;
  std::unique_ptr<sqlite_handles::Connection> connection_;
};

class Store {
 public:
  Store(std::string path, Options options);

  // Opens the connection for reads, and with it checks the file.
  [[nodiscard]] Result<void> open();
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Options& options() const { return options_; }

  // Runs `read` on the connection for reads. Writers do not block it.
  template <class Read>
  [[nodiscard]] auto read(Read read) -> decltype(read(std::declval<sqlite_handles::Connection&>())) {
    const std::lock_guard lock(reader_mutex_);
    if (reader_ == nullptr) {
      if (auto opened = open_reader(); !opened) return failure(std::move(opened));
    }
    auto result = read(*reader_);
    // A file that failed is opened anew, lest the connection keep what it misread.
    if (!result && (result.error().code == ErrorCode::io || result.error().code == ErrorCode::corrupt)) {
      reader_.reset();
    }
    return result;
  }

 private:
  friend class WriteTransaction;
  struct ConnectionUse {
    bool query_only = false;
    bool deletes_payloads = false;
  };
  [[nodiscard]] Result<void> open_reader();
  [[nodiscard]] Result<std::unique_ptr<sqlite_handles::Connection>> open_connection(const ConnectionUse& use) const;
  [[nodiscard]] std::unique_ptr<sqlite_handles::Connection>& idle(Purpose purpose) {
    return purpose == Purpose::units ? idle_units_ : idle_own_;
  }

  std::string path_;
  std::string name_;
  Options options_;
  WriteLock write_lock_;
  std::unique_ptr<sqlite_handles::Connection> idle_units_;  // touched only by the holder of the turn
  std::unique_ptr<sqlite_handles::Connection> idle_own_;
  bool log_suspect_ = false;  // a COMMIT failed in the file system; likewise
  std::mutex reader_mutex_;
  std::unique_ptr<sqlite_handles::Connection> reader_;
};

}  // namespace write_aside::sqlite
