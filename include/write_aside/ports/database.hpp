// The database, as the coordination sees it: sessions on which units of work run, and the library's own
// short transactions on the lane table and the journal.
//
// An adapter implements these three classes and passes the contract suite (tests/contract). The rules of
// the protocol are not here: an adapter does what it is asked, in one statement or a few, and says exactly
// what became of it. The word "proven" matters: a reply that proves nothing is `in_doubt` (protocol, C5).
//
// Tables (docs/format.md): lane table, journal, progress. Time is the database's own clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "write_aside/result.hpp"
#include "write_aside/unit_id.hpp"
#include "write_aside/value.hpp"

namespace write_aside::ports {

// Bounded waits end here. The clock is the Runtime's (ports/runtime.hpp).
using Deadline = std::chrono::steady_clock::time_point;

// Version 1 of the tables.
inline constexpr std::int64_t schema_version = 1;

struct Schema {
  std::int64_t version = 0;
  std::string database_id;  // random, made by `init`; part of every transactional id and ledger key
  std::uint32_t lanes = 0;
};

// One row of the lane table.
struct LaneRow {
  LaneNumber lane = 0;
  std::uint64_t epoch = 0;                     // goes up by one at every taking; 0: never taken
  std::string owner;                           // random id of the owner; empty: released
  std::string owner_process;                   // to_string(ProcessIdentity) of the owner
  std::chrono::milliseconds heartbeat_age{0};  // read only: how long ago the last heartbeat was
  std::optional<BatchId> settled;              // last batch known to be committed in the stream
  std::int64_t ledger_offset = 0;              // offset of the ledger record of `settled`
  BatchId purged;                              // D4's watermark: rows up to here may be gone
  std::string halted;                          // why the lane is halted; empty: it is not
  std::string stream_id;                       // the stream's identity when the lane was last taken
  std::string ledger_id;                       // the ledger topic's identity, likewise
};

struct JournalRow {
  UnitId key;
  std::optional<BatchId> adopted;
  bool tombstone = false;
  bool delivered = false;
  std::string payload;  // empty for a tombstone

  [[nodiscard]] BatchId label() const { return adopted ? *adopted : BatchId{key.epoch, key.n}; }
};

// A lane as `status` shows it.
struct LaneSummary {
  LaneRow row;
  std::uint64_t undelivered = 0;  // journal rows, tombstones not counted
  std::uint64_t kept = 0;         // delivered rows and tombstones kept until the retention ends
};

// What the reply to a COMMIT proves.
struct CommitReply {
  enum class State { committed, aborted, in_doubt };
  State state = State::in_doubt;
  // Set unless committed. With committed it is a warning: the rows are committed, but less safely than was asked for.
  std::optional<Error> error = {};
};

struct JournalEntry {
  UnitId key;
  std::string_view payload;
  // Section 6, strict_order: insert nothing while the lane has an undelivered row whose label epoch is
  // below `key.epoch`.
  bool strict_order = false;
};

enum class JournalReply { inserted, refused_by_order };

// A database session that carries one unit of work after another. One thread at a time.
// Destroying it rolls back what is open and hands the connection back.
class Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session() = default;

  // Opens the unit's transaction. On a borrowed handle that is already inside one, takes that one over.
  // An adapter may send BEGIN with the first statement.
  [[nodiscard]] virtual Result<void> begin(Deadline deadline) = 0;
  // One statement, placeholders as the database writes them. A failed statement leaves the transaction
  // open where the database allows it; `Error::effect` is `no`.
  [[nodiscard]] virtual Result<Rows> execute(std::string_view sql, std::span<const Parameter> parameters) = 0;
  // Several, in order, in as few round trips as the database allows; rows that they give are dropped. At the first one
  // that fails the rest is not run, and `failed` is its index.
  [[nodiscard]] virtual Result<void> execute_all(std::span<const Statement> statements, std::size_t& failed) {
    for (failed = 0; failed < statements.size(); ++failed) {
      auto done = execute(statements[failed].sql, statements[failed].parameters);
      if (!done) return failure(done);
    }
    return {};
  }
  // Savepoints nest; `depth` names them, from 1.
  [[nodiscard]] virtual Result<void> savepoint(int depth) = 0;
  [[nodiscard]] virtual Result<void> rollback_to_savepoint(int depth) = 0;
  [[nodiscard]] virtual Result<void> release_savepoint(int depth) = 0;
  // Progress of a named input, in the unit's own transaction. `advance` is a compare-and-set: false if the
  // stored position is not `expected` (none: no row yet).
  [[nodiscard]] virtual Result<std::optional<std::string>> progress(std::string_view source) = 0;
  [[nodiscard]] virtual Result<bool> advance(std::string_view source, std::optional<std::string_view> expected,
                                             std::string_view position) = 0;
  // C3: sends the journal INSERT, and later takes its reply. An adapter without a pipeline does the work in
  // either. Exactly one `receive_journal` follows each `send_journal`; `entry.payload` lives until then.
  // `transaction_ended` if the caller ended the transaction behind our back; then nothing was inserted.
  virtual void send_journal(const JournalEntry& entry) = 0;
  [[nodiscard]] virtual Result<JournalReply> receive_journal() = 0;
  // C5. Says `aborted` only on evidence that proves rollback; after it the transaction is over in every case
  // and, unless in doubt, the session is ready for `begin`.
  [[nodiscard]] virtual CommitReply commit(Deadline deadline) = 0;
  // Ends the transaction without effect. On failure the session is unusable, and the effect is still `no`.
  virtual Result<void> rollback() = 0;
  // Names the server-side session (pid and start time) for Database::end_session; may be empty.
  [[nodiscard]] virtual std::string identity() const = 0;
  // Schema::database_id of the database that a borrowed handle writes to, for the coordinator to compare with its
  // own. Empty: the Database that made the session.
  [[nodiscard]] virtual std::string database_id() const { return {}; }
};

// One short transaction of the library, at READ COMMITTED or stronger, on a connection of its own.
// Rolled back when destroyed without a commit. One thread at a time.
class OwnTransaction {
 public:
  OwnTransaction() = default;
  OwnTransaction(const OwnTransaction&) = delete;
  OwnTransaction& operator=(const OwnTransaction&) = delete;
  virtual ~OwnTransaction() = default;

  // Reads the lane row and keeps it locked until the end of the transaction. None: no such lane.
  [[nodiscard]] virtual Result<std::optional<LaneRow>> lock_lane(LaneNumber lane) = 0;
  // Writes the whole row but its heartbeat; `beat` sets that to the database's now.
  [[nodiscard]] virtual Result<void> write_lane(const LaneRow& row, bool beat) = 0;

  // Undelivered rows (no tombstones) of the lane, in key order: with a label epoch below `epoch`, or with
  // exactly `label`. At most `limit`.
  [[nodiscard]] virtual Result<std::vector<JournalRow>> undelivered_below(LaneNumber lane, std::uint64_t epoch,
                                                                          std::size_t limit) = 0;
  [[nodiscard]] virtual Result<std::vector<JournalRow>> undelivered_labelled(LaneNumber lane, BatchId label,
                                                                             std::size_t limit) = 0;
  [[nodiscard]] virtual Result<std::optional<JournalRow>> row(const UnitId& key) = 0;

  // Sets `delivered_at` on undelivered rows with label epoch = label.epoch and label n <= label.n. Returns how many.
  [[nodiscard]] virtual Result<std::uint64_t> deliver_covered(LaneNumber lane, BatchId label) = 0;
  // The same for one row by its key (D4: a row ever in doubt is kept). Returns how many it changed.
  [[nodiscard]] virtual Result<std::uint64_t> deliver(const UnitId& key) = 0;
  // Labels every undelivered row whose label epoch is below label.epoch. Returns how many.
  [[nodiscard]] virtual Result<std::uint64_t> adopt_all(LaneNumber lane, BatchId label) = 0;
  // Labels one row, if it is undelivered and its label epoch is below label.epoch; true if it changed.
  [[nodiscard]] virtual Result<bool> adopt(const UnitId& key, BatchId label) = 0;
  // Deletes undelivered rows with key epoch = upto.epoch and key n <= upto.n that were never adopted.
  [[nodiscard]] virtual Result<std::uint64_t> delete_settled(LaneNumber lane, BatchId upto) = 0;
  // Inserts a tombstone, delivered_at set. False on a primary-key conflict and only then.
  [[nodiscard]] virtual Result<bool> insert_tombstone(const UnitId& key) = 0;
  // Deletes rows of the lane delivered longer than `retention` ago; the highest (epoch, n) deleted, if any.
  [[nodiscard]] virtual Result<std::optional<BatchId>> purge(LaneNumber lane, std::chrono::seconds retention) = 0;

  [[nodiscard]] virtual CommitReply commit() = 0;
};

// A database. Safe from many threads.
class Database {
 public:
  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  virtual ~Database() = default;

  // For messages: "sqlite:shop.db", without secrets.
  [[nodiscard]] virtual std::string name() const = 0;
  // `init`: creates what is missing, adds lanes up to `lanes`, never removes any; safe to run again.
  [[nodiscard]] virtual Result<Schema> create_schema(std::uint32_t lanes) = 0;
  // `not_initialised` without tables, `newer_version` if they are newer than this library.
  [[nodiscard]] virtual Result<Schema> schema() = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<Session>> session(Deadline deadline) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<OwnTransaction>> own_transaction(Deadline deadline) = 0;
  // Reads, without locks, on the primary.
  [[nodiscard]] virtual Result<std::vector<LaneSummary>> lanes() = 0;
  [[nodiscard]] virtual Result<std::optional<LaneRow>> lane(LaneNumber lane) = 0;
  // The lanes that have an owner, and those that have none though something of theirs is undelivered. Every coordinator
  // asks every second, so it counts nothing.
  [[nodiscard]] virtual Result<std::vector<LaneRow>> lanes_in_use() = 0;
  [[nodiscard]] virtual Result<bool> has_undelivered_below(LaneNumber lane, std::uint64_t epoch) = 0;
  [[nodiscard]] virtual Result<std::optional<std::string>> progress(std::string_view source) = 0;
  // How the library's tables are written in SQL, up to the table's own name: "main.write_aside_".
  [[nodiscard]] virtual Result<std::string> table_prefix() = 0;
  // D2: ends a lost session at the server, so that its COMMIT can no longer land. Success if it is gone.
  [[nodiscard]] virtual Result<void> end_session(const std::string& identity, Deadline deadline) = 0;
};

}  // namespace write_aside::ports
