// What a fake database holds: rows, the locks of open transactions, sessions. Shared by all the FakeDatabase objects of
// all processes of a test, it is "the server": it stays when a process dies.
//
// It behaves as PostgreSQL does at READ COMMITTED: nobody sees an uncommitted change; a writer waits for the row lock
// of another, and then looks again at what that one committed; an insert waits for an uncommitted row of its key; a
// commit takes effect at once and as a whole; a deadlock is found at once, and one of the two is rolled back.
//
// Safe from many threads or fibers: everything happens under `mutex`, which is given up while waiting for a row lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "write_aside/ports/database.hpp"
#include "write_aside/ports/runtime.hpp"

namespace write_aside::support {

using Lock = std::unique_lock<ports::Mutex>;

enum class Table { lane, journal, progress, user };

struct RowKey {
  Table table = Table::user;
  UnitId unit = {};       // of the journal; `unit.lane` of the lane table
  std::string text = {};  // of the progress and the user's table
  auto operator<=>(const RowKey&) const = default;
};
[[nodiscard]] RowKey lane_key(LaneNumber lane);
[[nodiscard]] RowKey journal_key(const UnitId& unit);
[[nodiscard]] RowKey progress_key(std::string_view source);
[[nodiscard]] RowKey user_key(std::string_view key);

struct FakeLaneRow {
  ports::LaneRow row;
  std::optional<ports::Deadline> heartbeat = {};
};
struct FakeJournalRow {
  ports::JournalRow row;
  ports::Deadline delivered_at = {};
};
// The progress and the user's table hold text.
using FakeRow = std::variant<FakeLaneRow, FakeJournalRow, std::string>;

class FakeTransaction;

class FakeDatabaseState {
 public:
  // The clock and the waits are the runtime's. In a World that is best World::outside().
  explicit FakeDatabaseState(ports::Runtime& runtime);
  FakeDatabaseState(const FakeDatabaseState&) = delete;
  FakeDatabaseState& operator=(const FakeDatabaseState&) = delete;

  // For tests: what is committed.
  [[nodiscard]] std::map<std::string, std::string> user_rows();
  [[nodiscard]] std::vector<ports::JournalRow> journal_rows();
  [[nodiscard]] std::optional<ports::LaneRow> lane_row(LaneNumber lane);
  // How many transactions are open.
  [[nodiscard]] std::size_t open_transactions();
  // Every decision about a unit with a journal row, in order. `last_statement` and `committed` count what happens in
  // this database: a unit whose last statement came after another's commit may have seen what that one wrote.
  struct Decision {
    UnitId unit;
    std::uint64_t last_statement = 0;
    std::uint64_t committed = 0;
  };
  [[nodiscard]] const std::vector<Decision>& decisions() const { return decisions_; }
  // Without the mutex, for those who are called from within a run: is there a committed row of the user's?
  [[nodiscard]] bool has_user_row(std::string_view key) const { return rows_.contains(user_key(key)); }
  // The server crashes and starts again: every session ends, every open transaction is rolled back.
  void restart();
  // The server's clock runs ahead.
  void pass_time(std::chrono::nanoseconds span);
  // A backup, and its restoration: what was committed in between is lost.
  using Rows = std::map<RowKey, FakeRow>;
  [[nodiscard]] Rows backup();
  void restore(Rows rows);
  // Statements on a session wait that long for a row lock.
  void set_lock_timeout(std::chrono::nanoseconds timeout) { lock_timeout_ = timeout; }

 private:
  friend class FakeTransaction;
  friend class FakeDatabase;
  friend class FakeSession;
  friend class FakeOwnTransaction;

  struct ServerSession {
    FakeTransaction* transaction = nullptr;  // the open one
    bool ended = false;
  };

  [[nodiscard]] Lock guard() { return Lock(*mutex_); }
  [[nodiscard]] ports::Deadline now() { return runtime_.now() + ahead_; }
  [[nodiscard]] ports::LaneRow shown(const FakeLaneRow& lane);

  ports::Runtime& runtime_;
  std::unique_ptr<ports::Mutex> mutex_;
  std::unique_ptr<ports::Condition> released_;  // some lock
  std::chrono::nanoseconds ahead_{0};
  std::chrono::nanoseconds lock_timeout_ = std::chrono::seconds(5);
  std::optional<ports::Schema> schema_;
  Rows rows_;  // committed
  std::map<RowKey, std::uint64_t> locks_;
  std::map<std::uint64_t, std::uint64_t> waits_for_;  // transaction -> the one whose lock it wants
  std::map<std::uint64_t, FakeTransaction*> open_;
  std::uint64_t moment_ = 0;  // counts statements and commits
  std::vector<Decision> decisions_;
  std::uint64_t last_transaction_ = 0;
  std::uint64_t last_session_ = 0;
  std::map<std::string, std::shared_ptr<ServerSession>> sessions_;
};

// One transaction. Rolled back when destroyed. Every member but the constructor and the destructor is called with the
// state's mutex held by `lock`.
class FakeTransaction {
 public:
  explicit FakeTransaction(FakeDatabaseState& state);
  FakeTransaction(const FakeTransaction&) = delete;
  FakeTransaction& operator=(const FakeTransaction&) = delete;
  ~FakeTransaction();

  // What this transaction sees: its own changes over what is committed.
  [[nodiscard]] std::optional<FakeRow> get(const RowKey& key) const;
  [[nodiscard]] std::vector<std::pair<RowKey, FakeRow>> scan(Table table) const;
  // Waits until the row is ours, up to the deadline by the runtime's clock.
  [[nodiscard]] Result<void> acquire(Lock& lock, const RowKey& key, ports::Runtime& runtime, ports::Deadline deadline);
  void note_statement() { last_statement_ = ++state_.moment_; }
  void set(const RowKey& key, std::optional<FakeRow> row) { changes_.insert_or_assign(key, std::move(row)); }

  // Savepoints, numbered from 1. Locks stay, changes go.
  void savepoint() { savepoints_.push_back(changes_); }
  [[nodiscard]] bool has_savepoint(int depth) const { return depth >= 1 && depth <= std::ssize(savepoints_); }
  void roll_back_to(int depth);
  void release(int depth) { savepoints_.resize(static_cast<std::size_t>(depth) - 1); }

  [[nodiscard]] bool is_open() const { return open_; }
  void commit();
  void roll_back();

 private:
  using Changes = std::map<RowKey, std::optional<FakeRow>>;
  void note_decisions();
  [[nodiscard]] bool would_deadlock(std::uint64_t holder) const;
  void finish();

  FakeDatabaseState& state_;
  std::uint64_t number_ = 0;
  bool open_ = true;
  std::uint64_t last_statement_ = 0;
  Changes changes_;
  std::vector<Changes> savepoints_;
};

[[nodiscard]] Error fake_database_error(ErrorCode code, std::string message, bool retriable = false);

}  // namespace write_aside::support
